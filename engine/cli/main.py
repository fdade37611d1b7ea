"""The entry of the command line: sub-commands by name, errors as sentences, exit codes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import IO

import click

from ..errors import TerraSporeError
from ..events import Failure, to_json

CommandTable = Mapping[str, tuple[str, str, str]]

ENGINE_COMMANDS: CommandTable = {}


class LazyGroup(click.Group):
    """A group whose commands are imported on use.

    Args:
        package: the name against which relative modules in ``table`` are resolved.
        table: command name -> (module, attribute, one line of help).
    """

    def __init__(self, package: str, table: CommandTable) -> None:
        super().__init__(name="terraspore", help="Roads and land cover from imagery, as vector layers.")
        self._package = package
        self._table = dict(table)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command ``cmd_name``, or return None where there is no such command."""
        if cmd_name not in self._table:
            return None
        module, attribute, _ = self._table[cmd_name]
        command = getattr(importlib.import_module(module, self._package), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the table's help, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[2]) for name, entry in self._table.items()])


def run(
    arguments: Sequence[str],
    package: str = "terraspore",
    extra_commands: CommandTable | None = None,
    stdout: IO[str] | None = None,
    stderr: IO[str] | None = None,
) -> int:
    """Run one command line.

    Args:
        arguments: the words after the program's name.
        package: the package against which the command tables' relative modules are resolved.
        extra_commands: commands beside the engine's own (those of ``training``).
        stdout: where results go; ``sys.stdout`` unless given.
        stderr: where errors for people go; ``sys.stderr`` unless given.

    Returns:
        The exit code: 0 done, 2 the user's mistake, 3 cancelled, 1 a fault of the program.
    """
    out, err = stdout or sys.stdout, stderr or sys.stderr
    group = LazyGroup(package, {**ENGINE_COMMANDS, **(extra_commands or {})})
    as_json = "--json" in arguments
    try:
        group.main(args=list(arguments), prog_name="terraspore", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as mistake:
        failure = Failure(code="UsageError", text=mistake.format_message(), exit_code=2)
    except TerraSporeError as error:
        failure = Failure.of(error)
    else:
        return 0
    print(
        to_json(failure) if as_json else f"Error: {failure.text} {failure.hint or ''}".rstrip(),
        file=out if as_json else err,
    )
    return failure.exit_code
