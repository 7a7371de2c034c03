"""A command alone: `hashzoo bits-used CODES` says how many bits of codes in packed form take both values."""

from hashzoo import Command, hookimpl

hashzoo_api = 2


@hookimpl
def hashzoo_register_commands():
    return [
        Command("bits-used", "Count the bits that are not the same everywhere.", "hashzoo_bits_used_command:command")
    ]
