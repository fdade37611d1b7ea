"""Putting a model into a folder of models: its card completed, its weights copied, and tried once before it counts."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import ModelError, OutputError
from ..fs.regular_file import sha256_of
from .card import CARD_NAME, write_card
from .infer_card import BareModel
from .registry import Model, find_model, read_model

#: Larger weights are not copied.
MAX_MODEL_BYTES = 8 << 30
_PARTIAL = ".partial"


def install_model(source: Path, target: Path, bare: BareModel, attempt: Callable[[Model], None]) -> Model:
    """Copy the model at ``source`` to the folder ``target``, once it has been tried there.

    Args:
        source: a weights file, a card, or a model's folder.
        target: the new folder; its name becomes the model's.
        bare: what is known of a weights file without a card.
        attempt: uses the model and raises where that does not work.

    Returns:
        The model in ``target``.

    Raises:
        ModelError: it is not a model that can be used; nothing is left.
        OutputError: ``target`` is there already or cannot be written.
    """
    if target.exists():
        raise OutputError(f"There is something at {target} already.", "Choose another name.")
    model = find_model(str(source.absolute()), bare=bare)
    partial = target.with_name(target.name + _PARTIAL)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        shutil.copyfile(model.weights, partial / model.weights.name)
        if sha256_of(partial / model.weights.name, MAX_MODEL_BYTES, ModelError) != model.sha256:
            raise ModelError(f"The weights {model.weights} were changed while they were copied.", "Try again.")
        write_card(partial / CARD_NAME, dataclasses.replace(model.card, name=target.name, weights=model.weights.name))
        attempt(read_model(partial))
        partial.rename(target)
    except ModelError as error:  # about the file that the person named, not about its copy
        copy = str(partial / model.weights.name)
        raise type(error)(error.text.replace(copy, str(model.weights)), error.hint) from error
    except OSError as error:
        raise OutputError(f"The model could not be copied to {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return read_model(target)
