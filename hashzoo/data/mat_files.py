"""Read the numeric and text arrays of MATLAB files, both the classic format and the HDF5 one (-v7.3)."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from hashzoo.errors import UsageError, WorkError


def read_mat(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a MATLAB file by name, in MATLAB's orientation.

    Raises WorkError for a damaged file, UsageError for an HDF5 file where h5py is not installed.
    """
    import scipy.io

    try:
        content = scipy.io.loadmat(path)
    except NotImplementedError:  # scipy's word for -v7.3
        return _read_hdf5(path)
    except Exception as error:  # scipy raises many kinds for a damaged file
        raise WorkError(f"{path} cannot be read as a MATLAB file ({error}); save or fetch it again.") from error
    return {name: value for name, value in content.items() if isinstance(value, np.ndarray)}


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    try:
        h5py = importlib.import_module("h5py")  # optional, and not a dependency
    except ImportError as error:
        raise UsageError(
            f"{path} is a MATLAB 7.3 file, which needs h5py: run `pip install h5py`, or save it with the option -v7."
        ) from error
    try:
        with h5py.File(path) as content:
            # MATLAB writes columns first, so every axis order is reversed; char arrays are skipped, they are uint16.
            return {
                name: value[()].T
                for name, value in content.items()
                if isinstance(value, h5py.Dataset) and value.dtype.kind in "biuf" and value.ndim > 0
            }
    except OSError as error:
        raise WorkError(f"{path} cannot be read as a MATLAB 7.3 file ({error}); save or fetch it again.") from error
