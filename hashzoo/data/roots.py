"""Where data and caches live."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def data_root() -> Path:
    """Return the folder that holds data sets: `HASHZOO_DATA`, else the user's data folder of the platform."""
    named = os.environ.get("HASHZOO_DATA")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("hashzoo"))


def cache_root() -> Path:
    """Return the folder of caches, which may be deleted at any time: `HASHZOO_CACHE`, else the platform's."""
    named = os.environ.get("HASHZOO_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("hashzoo"))
