"""The command line: parse, call one function, print. The entry point is `hashzoo.cli:main`."""

from hashzoo.cli.main import main

__all__ = ["main"]
