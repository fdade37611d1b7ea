"""Entry point of the command line: lazily imported commands, errors as sentences, exit codes."""

from __future__ import annotations

import importlib
import io
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout, suppress
from itertools import takewhile

import click

from ...__about__ import __version__
from ..context import write_line
from ..errors import Cancelled, OutOfMemoryError, StreamError, TerraSporeError, make_sentence
from ..protocol.codec import encode_event
from ..protocol.messages import Failure, Result
from ..raster.gdal_environment import configure_environment
from .cli_context import CliContext

CommandTable = Mapping[str, tuple[str, str, str]]

#: name -> (module relative to the package, attribute, one line of help)
ENGINE_COMMANDS: CommandTable = {
    "extract": (".engine.cli.inference", "extract", "Extract roads or land cover from an image as vector layers."),
    "segment": (".engine.cli.inference", "segment", "Run any segmentation model over an image."),
    "plan": (".engine.cli.inference", "plan", "Say how many tiles, how much memory and how long a run would take."),
    "vectorize": (".engine.cli.vectorize", "vectorize", "Make vectors of a raster of probabilities or classes."),
    "compare": (".engine.cli.compare", "compare", "Measure a result against the truth."),
    "info": (".engine.cli.info", "info", "Say what an image is and how it would be read."),
    "models": (".engine.cli.models", "models", "List the models, their metrics and licences."),
    "devices": (".engine.cli.models", "devices", "Try every device and runtime, and say what auto takes."),
    "prepare": (".engine.cli.inference", "prepare", "Compile what the first run on this computer would compile."),
    "install": (".engine.cli.models", "install", "Check a model of your own and put it where it is found by name."),
    "serve": (".engine.cli.serve", "serve", "Take commands as JSON lines and keep models loaded between them."),
}


#: What exceptions say of threads and libraries that find no memory.
_MEMORY_MARKS = ("can't start new thread", "failed to map segment")


class LazyGroup(click.Group):
    """A group whose commands are imported on use.

    Args:
        package: the name against which relative modules in ``table`` are resolved.
        table: command name -> (module, attribute, one line of help).
        prepare: called before a command is imported.
    """

    def __init__(self, package: str, table: CommandTable, prepare: Callable[[], object] = lambda: None) -> None:
        super().__init__(name="terraspore", help="Roads and land cover from imagery, as vector layers.")
        click.version_option(__version__, prog_name="terraspore", message="%(prog)s %(version)s")(self)
        self._package = package
        self._table = dict(table)
        self._prepare = prepare

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command ``cmd_name``, or return None where there is no such command."""
        if cmd_name not in self._table:
            return None
        self._prepare()
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
    cli_context: CliContext | None = None,
    prepare: Callable[[], object] = lambda: None,
) -> int:
    """Run one command line.

    Args:
        arguments: the arguments after the program's name.
        package: the package against which the command tables' relative modules are resolved.
        extra_commands: commands beside the engine's own (those of ``training``).
        cli_context: streams and reporter of the command; the process's own streams unless given.
        prepare: called before the command is imported; its errors are reported.

    Returns:
        The exit code: 0 done, 2 the user's mistake, 3 cancelled, 4 images of a batch failed, 1 a fault of the program.
    """
    configure_environment()
    # Else importing ONNX Runtime writes an id and a database to the home folder, which it tries to post.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    group = LazyGroup(package, {**ENGINE_COMMANDS, **(extra_commands or {})}, prepare)
    return run_group(group, arguments, cli_context or CliContext())


def run_group(group: click.Group, arguments: Sequence[str], cli_context: CliContext) -> int:
    """Run one command line of ``group``, report its error, and return the exit code."""
    words = set(takewhile(lambda argument: argument != "--", arguments))  # all arguments behind it are paths
    asks_for_text = not words.isdisjoint({"--help", "--version"})
    as_json, printed = "--json" in words, io.StringIO()
    try:
        with redirect_stdout(printed) if asks_for_text else nullcontext():
            code = group.main(args=list(arguments), prog_name="terraspore", standalone_mode=False, obj=cli_context)
        if printed.getvalue():
            _report_text(printed.getvalue().rstrip(), cli_context)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the one place: no traceback reaches a person)
        failure = make_failure(error)
        _report_failure(failure, cli_context, as_json=as_json and not isinstance(error, StreamError))
        return failure.exit_code
    return code if isinstance(code, int) else 0  # of a batch in which images failed


def make_failure(error: BaseException) -> Failure:
    """Make the event for an exception that ended a command."""
    if isinstance(error, click.ClickException):
        text = make_sentence(error.format_message())
        text += "" if text.endswith((".", "?", "!")) else "."  # click omits it after some messages
        return Failure(code="UsageError", text=text, hint=_usage_hint(error), exit_code=2)
    if isinstance(error, TerraSporeError):
        return Failure.from_error(error)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return Failure.from_error(Cancelled("Cancelled; nothing was written."))
    if isinstance(error, MemoryError) or any(mark in str(error) for mark in _MEMORY_MARKS):
        return Failure.from_error(OutOfMemoryError("There was not enough memory.", "Try a smaller tile (--tile)."))
    if os.environ.get("TERRASPORE_TRACEBACK"):
        traceback.print_exception(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Failure(
        code="InternalError",
        text=make_sentence(
            f"A fault of the program: {type(error).__name__} in {place.name}, line {place.lineno}: {error}."
        ),
        hint="Please report it; with TERRASPORE_TRACEBACK=1 in the environment the details are shown.",
    )


def _usage_hint(error: click.ClickException) -> str | None:
    """Name the sub-commands where one is missing or unknown; else the command whose help lists the options."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return None
    if isinstance(context.command, click.Group):
        return f"The commands of '{context.command_path}' are: {', '.join(context.command.list_commands(context))}."
    return f"'{context.command_path} --help' lists its options and arguments."


def _report_text(text: str, cli_context: CliContext) -> None:
    """Report the text of ``--help`` or ``--version`` to the server's reporter, or print it."""
    if cli_context.reporter is not None:
        cli_context.reporter.emit(Result({}, {}, text))
    else:
        write_line(cli_context.stdout, text)


def _report_failure(failure: Failure, cli_context: CliContext, *, as_json: bool) -> None:
    """Report ``failure`` to the server's reporter, as JSON on stdout, or as a sentence on stderr."""
    with suppress(StreamError):  # nobody can read it
        if cli_context.reporter is not None:
            cli_context.reporter.emit(failure)
        elif as_json:
            write_line(cli_context.stdout, encode_event(failure))
        else:
            write_line(cli_context.stderr, f"Error: {failure.sentence}")
