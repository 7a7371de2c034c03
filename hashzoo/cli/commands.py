"""The commands that come with hashzoo, registered through the same hook as anybody else's."""

from __future__ import annotations

from hashzoo.hookspecs import hookimpl
from hashzoo.specs import Command

hashzoo_api = 2

COMMANDS = (
    Command("run", "Train, encode and evaluate a method; one record per (bits, seed).", "hashzoo.cli.run:run_command"),
    Command(
        "reproduce",
        "Measure what a published table needs with what is installed.",
        "hashzoo.cli.reproduce:reproduce_command",
    ),
    Command("tune", "Search settings of methods, equally, on validation data.", "hashzoo.cli.tune:tune_command"),
    Command("runs", "List run directories: what was changed, their state and values.", "hashzoo.cli.runs:runs_command"),
    Command(
        "leaderboard",
        "Show, compare, write or check leaderboards.",
        "hashzoo.cli.leaderboard:leaderboard_command",
    ),
    Command("claims", "Say which claims of the papers the records bear out.", "hashzoo.cli.claims:claims_command"),
    Command("plugins", "List the plugins and what is wrong with them.", "hashzoo.cli.registry:plugins_command"),
    Command("list", "List what is registered: methods, datasets, losses, ...", "hashzoo.cli.registry:list_command"),
    Command("show", "Show a method, a dataset, a run: what it is, its options.", "hashzoo.cli.registry:show_command"),
    Command("evaluate", "Evaluate a run again, or codes from any tool.", "hashzoo.cli.evaluate:evaluate_command"),
    Command("compare", "Compare two runs query by query with a paired test.", "hashzoo.cli.evaluate:compare_command"),
    Command("data", "List, prepare, locate and check datasets.", "hashzoo.cli.data:data_command"),
    Command("export", "Write a run's codes as packed bits for an index.", "hashzoo.cli.export:export_command"),
    Command("encode", "Encode your own images or vectors with a trained run.", "hashzoo.cli.export:encode_command"),
    Command("new", "Write a new plugin from a template.", "hashzoo.cli.plugin:new_command"),
    Command("check", "Check that a method keeps the rules of the registry.", "hashzoo.cli.plugin:check_command"),
    Command(
        "verify",
        "Make a record's result again and say whether it is reproduced.",
        "hashzoo.cli.verify:verify_command",
    ),
    Command("submit", "Pack runs with their evidence for a pull request.", "hashzoo.cli.submit:submit_command"),
    Command("site", "Write the boards as a static site.", "hashzoo.site.command:site_command"),
    Command("plot", "Draw curves, codes or neighbours of runs.", "hashzoo.site.plot_command:plot_command"),
    Command(
        "doctor", "Versions, device, folders and plugins, for a bug report.", "hashzoo.cli.registry:doctor_command"
    ),
)


@hookimpl
def hashzoo_register_commands() -> tuple[Command, ...]:
    """Return the core's commands, in the order in which a newcomer meets them."""
    return COMMANDS
