"""The command ``terraspore``: the one place that knows both the engine and the training package.

Sub-commands are imported when they are used, so that help and completion are quick and a machine without
MindSpore runs everything but training.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn

#: name -> (module relative to this package, attribute, one line of help)
TRAINING_COMMANDS = {
    "train": (".training.cli.train", "train", "Train a network from a YAML configuration."),
    "evaluate": (".training.cli.evaluate", "evaluate", "Measure a checkpoint on a data set."),
    "visualise": (".training.cli.evaluate", "visualise", "Draw the predicted classes over images."),
    "chips": (".training.cli.datasets", "chips", "Cut training chips from a raster and a vector layer."),
    "labels": (".training.cli.datasets", "labels", "Convert labels of published data sets to class ids."),
    "lists": (".training.cli.datasets", "lists", "Write list files of published data sets."),
    "records": (".training.cli.datasets", "records", "Convert a data set to MindRecord files."),
    "export": (".training.cli.export", "export", "Make a model folder (checkpoint, ONNX, MINDIR and card)."),
    "convert": (".training.cli.export", "convert", "Turn weights of PyTorch or MindCV into a checkpoint."),
    "average": (".training.cli.export", "average", "Average the weights of several trainings."),
}


def create_network(name: str, **options: Any) -> Any:
    """Make a MindSpore network for the engine's MindSpore runtime; MindSpore is imported when it is called."""
    from .training.networks import create_network as factory

    return factory(name, **options)


def main() -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGINT, _end_at_start)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # those of libraries are for their developers
        sys.unraisablehook = _report_unraisable
        sys.excepthook = _report_uncaught
    from .engine.cli import run
    from .engine.cli.cli_context import CliContext
    from .engine.cli.startup import prepare_address_space, prepare_standard_streams

    prepare_standard_streams()
    # Start-up makes hundreds of thousands of objects that stay; collecting garbage among them takes time.
    gc.set_threshold(250_000, 20, 100)
    cli_context = CliContext(network_factory=create_network, end_process=os._exit)
    package = __package__ or "terraspore"
    code = run(sys.argv[1:], package, TRAINING_COMMANDS, cli_context, prepare=prepare_address_space)
    _exit(code)


def _report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Report an error that nobody can catch, but not that of rasterio for a message of GDAL that is not UTF-8."""
    if not isinstance(unraisable.exc_value, UnicodeDecodeError):
        sys.__unraisablehook__(unraisable)


def _report_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Do the same for the traceback that rasterio prints first; what the command raises never comes here."""
    if not isinstance(error, UnicodeDecodeError):
        sys.__excepthook__(kind, error, trace)


def _end_at_start(*_: object) -> NoReturn:
    """End the process at a Ctrl-C while libraries are loaded, whose import can leave nothing behind."""
    with suppress(OSError):
        os.write(2, b"Error: Cancelled; nothing was written.\n")
    os._exit(3)


def _exit(code: int) -> NoReturn:
    """End the process with ``code``."""
    if "mindspore" in sys.modules:
        sys.exit(code)  # its own finalizers take apart what it has loaded
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):  # nobody reads the output any more
        os._exit(code)
    if code or any(thread.name == "preload" for thread in threading.enumerate()):
        os._exit(code)  # a thread may still be in native code, which must not outlive the interpreter
    gc.freeze()  # to collect everything that was loaded would take a sixth of a small run
    sys.exit(code)


if __name__ == "__main__":
    main()
