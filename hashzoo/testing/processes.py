"""What a test of determinism needs: a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys

from hashzoo.errors import WorkError


def same_in_another_process(program: str) -> bool:
    """Tell whether a program prints the same here and in a process of its own, where texts have other hashes.

    Nothing printed is no answer: a WorkError, like a program that fails there.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})  # the test's own text
    environment = {**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise WorkError(f"The program printed nothing in a process of its own: {done.stderr.strip()}")
    return done.stdout == printed.getvalue()
