"""Make docs/site.png, the picture of the site in README.md, from the committed boards; needs Chromium and `site`.

python docs/make_picture.py [PAGE] [CHROMIUM]
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from hashzoo.site.build import build

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "site.png"
PAGE = "boards/cifar10-jpeg-5k-disjoint.html#metric=map%40h2&bits=48"
WIDTH, HEIGHT = 1200, 1000
LARGEST = 150_000


def main(page: str = PAGE, chromium: str = "") -> None:
    """Build the site, photograph a page of it, and keep the picture small."""
    browser = chromium or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("There is no Chromium; install it, or name another browser of its kind.")
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(build(ROOT / "leaderboards", Path(folder) / "site", codes=False) + "\n")
        shot = Path(folder) / "shot.png"
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile",
                f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=5000", f"--screenshot={shot}",
                f"{(Path(folder) / 'site').as_uri()}/{page}",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
        with Image.open(shot) as drawn:
            few = drawn.convert("RGB").quantize(96, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.save(stream, "PNG", optimize=True)
    if len(stream.getvalue()) > LARGEST:
        sys.exit(f"The picture takes {len(stream.getvalue()):,} bytes, {LARGEST:,} are its limit; choose another page.")
    PICTURE.write_bytes(stream.getvalue())
    sys.stdout.write(f"Wrote {PICTURE.relative_to(ROOT)} ({len(stream.getvalue()) / 1000:.0f} kB).\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
