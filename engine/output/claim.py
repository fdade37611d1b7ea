"""Having outputs for oneself: checked before any work, locked, and freed of what dead runs left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import ParameterError
from .atomic import check_target, sweep_partials
from .lock import lock_outputs


@contextmanager
def claim_outputs(source: Path, outputs: Sequence[Path | None]) -> Iterator[None]:
    """Have ``outputs`` for this run alone during the block.

    Args:
        source: the file that they are made from, which none of them may be.
        outputs: the files that will be written; None stands for one that is not wanted.

    Raises:
        ParameterError: one is the source itself, or is named twice.
        OutputError: one cannot be written, or is being written by another run.
    """
    paths = [path for path in outputs if path is not None]
    resolved = [path.resolve() for path in paths]
    for path, place in zip(paths, resolved, strict=True):
        if place == source.resolve():
            raise ParameterError(f"The output {path} is the input itself.")
        if resolved.count(place) > 1:
            raise ParameterError(f"The output {path} is named twice.")
        check_target(path)
    with lock_outputs(paths):
        for path in paths:
            sweep_partials(path)
        yield
