"""The command group, its global options, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import errno
import re
import sys
from typing import Any, NoReturn

import click

from hashzoo import __version__
from hashzoo.cli.commands import COMMANDS
from hashzoo.errors import HashzooError, UsageError, WorkError, unknown_name
from hashzoo.specs import Command

OWN = {command.name: command for command in COMMANDS}


class LazyGroup(click.Group):
    """Imports a command's module when the command is used, so that --help is instant.

    The core's commands are known without loading any plugin; plugins are asked for any other name.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the core's names in the order in which a newcomer meets them."""
        return list(OWN)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return one command, None for an unknown name."""
        from hashzoo.plugins.options import resolve

        command = OWN.get(name) or _of_a_plugin(name)
        if command is None:
            return None
        found = resolve(command.build, f"The command {name!r}")
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with the nearest names."""
        if args and not args[0].startswith("-") and args[0] not in OWN and _of_a_plugin(args[0]) is None:
            from hashzoo.plugins import registry

            raise unknown_name("command", args[0], {*OWN, *registry().names("commands")})
        _called["command"] = args[0] if args else ""
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their one-line summaries, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(command.name, command.summary) for command in COMMANDS])
        with formatter.section("Commands of plugins"):
            formatter.write_text("hashzoo list commands")


def _of_a_plugin(name: str) -> Command | None:
    from hashzoo.plugins import registry

    found = registry()
    if name not in found.names("commands"):
        return None
    command: Command = found.get("commands", name)
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hashzoo")
@click.option("--strict", is_flag=True, help="Stop with exit code 1 if any plugin is broken.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
@click.option("--trace-plugins", is_flag=True, help="Say which hook of which plugin was called and how long it took.")
@click.pass_context
def cli(ctx: click.Context, strict: bool, debug: bool, trace_plugins: bool) -> None:
    """Benchmark registry for deep hashing: every method a plugin, every figure comparable.

    \b
    Example:
      hashzoo run --method greedyhash
      hashzoo leaderboard

    HASHZOO_PLUGINS=a,b loads only these plugins (empty: none). HASHZOO_DATA and HASHZOO_CACHE say where data and
    caches live.
    """
    ctx.obj = {"trace": trace_plugins}
    _shown["traceback"] = debug
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


_called = {"command": ""}
"""The command of this call; a plugin's own may end the program with the exit code that it likes."""

_shown = {"traceback": False}
"""Whether --debug was given; it has to be known after click has let go of its context."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed work, 2 wrong usage, 130 interrupted."""
    _shown["traceback"], _called["command"] = False, ""
    try:
        code = cli.main(args=args, prog_name="hashzoo", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except HashzooError as error:
        _end(error, error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped; what was finished is kept, and the same command goes on from there.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except SystemExit as error:
        blame = None if _ends_itself(error) else _blamed(error)
        if blame is None:
            raise
        _end(blame, error)
    except Exception as error:  # noqa: BLE001 -- the one place where anything becomes a sentence and an exit code
        _end(_blamed(error) or _own_failure(error), error)
    sys.exit(code if isinstance(code, int) else 0)  # click hands back the code of --help and --version


def _end(shown: HashzooError, cause: BaseException) -> NoReturn:
    if _shown["traceback"]:
        import traceback

        traceback.print_exception(cause)
    click.echo(f"Error: {_printable(str(shown))}", err=True)
    sys.exit(shown.exit_code)


def _printable(text: str) -> str:
    """Return a message without control characters, which a file's name or a record's field may hold."""
    from hashzoo.results.text import plain

    return re.sub(r"[^\n\t]+", lambda found: plain(found[0]), text)


def _blamed(error: BaseException) -> HashzooError | None:
    from hashzoo.plugins import registry
    from hashzoo.plugins.blame import blamed

    return blamed(error, registry().plugins)


def _ends_itself(error: SystemExit) -> bool:
    """Whether a command of a plugin ends the program, and not something else that it called."""
    from hashzoo.plugins import registry
    from hashzoo.plugins.blame import origin_of

    name = _called["command"]
    if not name or name in OWN or _of_a_plugin(name) is None:
        return False
    origin = origin_of(error, registry().plugins)
    return origin is not None and origin.plugin is registry().owner("commands", name)


def _own_failure(error: Exception) -> HashzooError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        where = f" ({error.filename})" if error.filename else ""
        return WorkError(f"{error.strerror}{where}; free space and repeat the command, which goes on.")
    if isinstance(error, (FileExistsError, NotADirectoryError)) and error.filename is not None:
        return UsageError(
            f"{error.filename} is a file, or lies below one, where a folder is needed; give another path."
        )
    if isinstance(error, OSError) and error.filename is not None:
        return WorkError(
            f"{error.filename}: {error.strerror or error}; make it readable (and, to write there, writable) or give "
            "another path."
        )
    from hashzoo.plugins.blame import keep_traceback

    return WorkError(
        f"hashzoo itself failed with {type(error).__name__}: {' '.join(str(error).split())[:300]}; the traceback is in "
        f"{keep_traceback(error)}. Please report it with the output of hashzoo doctor."
    )
