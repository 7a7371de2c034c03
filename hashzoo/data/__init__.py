"""Datasets, protocols and their splits, and what a dataset plugin is written with: all that is named here is promised.

Names are imported on first use, so that listing imports no numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashzoo.data.catalogue import load_splits
    from hashzoo.data.drawing import draw_by_size, require_undrawn
    from hashzoo.data.image_cache import StoredImages, images_from_store, stored_images
    from hashzoo.data.image_lists import drawn_image_splits, find_images, listed_splits
    from hashzoo.data.images import ImageFiles, ImageOptions, file_states, folder_files, is_image, read_file, zip_files
    from hashzoo.data.labels import indicators, multi_hot, one_hot, row_numbers
    from hashzoo.data.lists import (
        ItemList,
        JoinedLists,
        chain,
        common_prefix,
        join_lists,
        paired_list,
        read_bytes,
        read_lines,
        read_list,
        read_parts,
    )
    from hashzoo.data.options import number_or_share, whole_number, yes_or_no
    from hashzoo.data.packages import package_files
    from hashzoo.data.readers import StoredArray, open_arrays, read_arrays
    from hashzoo.data.roots import below, cache_root, data_root, given_path, regular_file, source_path
    from hashzoo.data.splits import (
        Quota,
        draw_alike,
        draw_counts,
        draw_rows,
        hash_order,
        ids_sha256,
        make_splits,
        proportional,
        split_sha256,
        strata,
    )
    from hashzoo.data.tables import fingerprint_of, require_files, require_sha256
    from hashzoo.data.text import bag_of_words, vocabulary, with_text
    from hashzoo.files import file_sha256
    from hashzoo.store import Content

_HOMES = {
    "catalogue": ("load_splits",),
    "drawing": ("draw_by_size", "require_undrawn"),
    "image_cache": ("StoredImages", "images_from_store", "stored_images"),
    "image_lists": ("drawn_image_splits", "find_images", "listed_splits"),
    "images": ("ImageFiles", "ImageOptions", "file_states", "folder_files", "is_image", "read_file", "zip_files"),
    "labels": ("indicators", "multi_hot", "one_hot", "row_numbers"),
    "lists": (
        "ItemList", "JoinedLists", "chain", "common_prefix", "join_lists", "paired_list", "read_bytes", "read_lines",
        "read_list", "read_parts",
    ),
    "options": ("number_or_share", "whole_number", "yes_or_no"),
    "packages": ("package_files",),
    "readers": ("StoredArray", "open_arrays", "read_arrays"),
    "roots": ("below", "cache_root", "data_root", "given_path", "regular_file", "source_path"),
    "splits": (
        "Quota", "draw_alike", "draw_counts", "draw_rows", "hash_order", "ids_sha256", "make_splits", "proportional",
        "split_sha256", "strata",
    ),
    "tables": ("fingerprint_of", "require_files", "require_sha256"),
    "text": ("bag_of_words", "vocabulary", "with_text"),
}  # fmt: skip
_HOME_OF = {name: f"hashzoo.data.{home}" for home, names in _HOMES.items() for name in names}
_HOME_OF |= {"file_sha256": "hashzoo.files", "Content": "hashzoo.store"}

__all__ = [  # noqa: RUF022 -- grouped by module, as the imports above
    "load_splits", "draw_by_size", "require_undrawn", "StoredImages", "images_from_store", "stored_images",
    "drawn_image_splits", "find_images", "listed_splits", "ImageFiles", "ImageOptions", "file_states", "folder_files",
    "is_image", "read_file", "zip_files", "indicators", "multi_hot", "one_hot", "row_numbers", "ItemList",
    "JoinedLists", "chain", "common_prefix", "join_lists", "paired_list", "read_bytes", "read_lines", "read_list",
    "read_parts", "number_or_share", "whole_number", "yes_or_no", "package_files", "StoredArray", "open_arrays",
    "read_arrays", "below", "cache_root", "data_root", "given_path", "regular_file", "source_path", "Quota",
    "draw_alike", "draw_counts", "draw_rows", "hash_order", "ids_sha256", "make_splits", "proportional",
    "split_sha256", "strata", "file_sha256", "fingerprint_of", "require_files", "require_sha256", "bag_of_words",
    "vocabulary", "with_text", "Content",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'hashzoo.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value
