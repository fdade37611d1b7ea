"""The command ``terraspore``: the one place that knows both the engine and the training package.

Sub-commands are imported when they are used, so that help and completion are quick and a machine without
MindSpore runs everything but training.
"""

from __future__ import annotations

import sys

from .engine.cli import run

#: name -> (module relative to this package, attribute, one line of help)
TRAINING_COMMANDS = {
    "train": (".training.cli", "train", "Train a network from a YAML configuration."),
    "evaluate": (".training.cli", "evaluate", "Measure a checkpoint on a data set."),
    "export": (".training.cli", "export", "Make a model folder (checkpoint, ONNX, MINDIR and card)."),
}


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:], package=__package__ or "terraspore", extra_commands=TRAINING_COMMANDS))


if __name__ == "__main__":
    main()
