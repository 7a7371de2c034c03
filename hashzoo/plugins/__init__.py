"""The registry: finds plugins, loads each one apart from the others, and answers by kind and name.

A plugin can break only itself. What goes wrong in one is kept with its distribution, version, entry point,
exception and remedy (`Registry.failures`), and everything else works on. Listing imports no torch.
"""

from hashzoo.plugins.items import KINDS, PARTS
from hashzoo.plugins.loading import Plugin, load_plugin
from hashzoo.plugins.registry import Registry, registry
from hashzoo.plugins.sources import find_sources, is_editable, plugin_file_hash

__all__ = [
    "KINDS",
    "PARTS",
    "Plugin",
    "Registry",
    "find_sources",
    "is_editable",
    "load_plugin",
    "plugin_file_hash",
    "registry",
]
