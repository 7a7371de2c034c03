"""The command group, its global options, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import errno
import sys
from typing import Any

import click

from hashzoo import __version__
from hashzoo.errors import HashzooError, unknown_name

COMMANDS = {
    "run": ("hashzoo.cli.run", "Train, encode and evaluate a method; one record per (bits, seed)."),
    "leaderboard": ("hashzoo.cli.leaderboard", "Show, compare, write or check leaderboards."),
    "plugins": ("hashzoo.cli.registry", "List the plugins and what is wrong with them."),
    "list": ("hashzoo.cli.registry", "List what is registered: methods, datasets, losses, ..."),
    "show": ("hashzoo.cli.registry", "Show one registered thing: paper, recipe, options."),
    "evaluate": ("hashzoo.cli.evaluate", "Evaluate a run again, or codes from any tool."),
    "compare": ("hashzoo.cli.evaluate", "Compare two runs query by query with a paired test."),
    "data": ("hashzoo.cli.data", "List, prepare, locate and check datasets."),
    "export": ("hashzoo.cli.export", "Write a run's codes as packed bits for an index."),
    "encode": ("hashzoo.cli.export", "Encode your own images or vectors with a trained run."),
    "new": ("hashzoo.cli.plugin", "Write a new method plugin from the template."),
    "check": ("hashzoo.cli.plugin", "Check that a method keeps the rules of the registry."),
    "verify": ("hashzoo.cli.verify", "Make a record's result again and say whether it is reproduced."),
    "doctor": ("hashzoo.cli.registry", "Versions, device, folders and plugins, for a bug report."),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is used, so that --help is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return one command, None for an unknown name."""
        if name not in COMMANDS:
            return None
        import importlib

        module = importlib.import_module(COMMANDS[name][0])
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with the nearest names."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise unknown_name("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their one-line summaries, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hashzoo")
@click.option("--strict", is_flag=True, help="Stop with exit code 1 if any plugin is broken.")
@click.option("--trace-plugins", is_flag=True, help="Say which hook of which plugin was called and how long it took.")
@click.pass_context
def cli(ctx: click.Context, strict: bool, trace_plugins: bool) -> None:
    """Benchmark registry for deep hashing: every method a plugin, every figure comparable.

    \b
    Example:
      hashzoo run --method greedyhash
      hashzoo leaderboard

    HASHZOO_PLUGINS=a,b loads only these plugins (empty: none). HASHZOO_DATA and HASHZOO_CACHE say where data and
    caches live.
    """
    ctx.obj = {"trace": trace_plugins}
    if strict:
        from hashzoo.plugins import registry

        registry(strict=True)


@cli.result_callback()
@click.pass_context
def _after(ctx: click.Context, *_: Any, **__: Any) -> None:
    if ctx.obj["trace"]:
        from hashzoo.plugins import registry

        for call in registry().trace:
            click.echo(f"{call.seconds * 1000:8.1f} ms  {call.hook:32} {call.plugin}", err=True)


def warn_of_broken_plugins() -> None:
    """Print one warning if a plugin is not in order; the command goes on."""
    from hashzoo.plugins import registry

    text = registry().warning()
    if text:
        click.echo(f"Warning: {text}", err=True)


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed work, 2 wrong usage, 130 interrupted."""
    try:
        code = cli.main(args=args, prog_name="hashzoo", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)  # click hands back the code of --help and --version
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except HashzooError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped; what was finished is kept, and the same command goes on from there.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"Error: {error.strerror}{where}; free space and repeat the command, which goes on.", err=True)
        sys.exit(1)
