"""A result of its own for each of many images.

An image that fails does not end the batch; what each image came to is in the table of the result. Since an output has
its final name only when it is complete, an output that exists is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..context import CallbackReporter, Cancellation, RunContext
from ..errors import (
    Cancelled,
    DiskFullError,
    ModelError,
    OutputError,
    ParameterError,
    RuntimeUnavailableError,
    StreamError,
    TerraSporeError,
)
from ..fs.atomic import translate_os_errors
from ..fs.journal import find_unfinished_run
from ..protocol.messages import STATES, Event, ImageOutcome, Message, Progress, Result
from .request import ClassRequest, RoadRequest

R = TypeVar("R", RoadRequest, ClassRequest)

#: Exit code of a batch in which images failed.
SOME_FAILED = 4
#: What would fail for every further image as well.
_FATAL = (Cancelled, ModelError, RuntimeUnavailableError, DiskFullError, StreamError)
#: Stands for the name of the image in the name of an output.
_WILDCARD = "*"
#: Rows of the result's table; of more images only those that failed are listed.
_MAX_ROWS = 5000


@dataclass(frozen=True)
class BatchItem(Generic[R]):
    """One image of a batch.

    Attributes:
        request: its run.
        outputs: the files that it writes, the main one first.
    """

    request: R
    outputs: tuple[Path, ...]


def split_request(request: R) -> list[BatchItem[R]]:
    """Make a request for each image of ``request``, whose outputs name folders, or patterns with a ``*``.

    Raises:
        ParameterError: an output is neither.
        OutputError: a folder cannot be made.
    """
    names = _name_images(request.image.images)
    items: list[BatchItem[R]] = []
    for path, name in zip(request.image.images, names, strict=True):
        paths: dict[str, Any] = _locate_outputs(request, name)
        image = replace(request.image, image=path, others=())
        outputs = tuple(dict.fromkeys([paths.get("main", next(iter(paths.values()))), *paths.values()]))
        items.append(BatchItem(replace(request, image=image, **paths), outputs))
    return items


def _locate_outputs(request: RoadRequest | ClassRequest, name: str) -> dict[str, Any]:
    """Return the outputs of one image of a request by the name of the request's field."""
    paths = {} if request.output is None else {"output": _locate(request.output, name, ".gpkg")}
    is_main = isinstance(request, ClassRequest) and request.main is not None
    endings = {"classes": "" if is_main else "_classes", "confidence": "_confidence", "probability": "_probability"}
    for field, ending in endings.items():
        folder = getattr(request, field, None)
        if folder is not None:
            paths[field] = _locate(folder, f"{name}{ending}", ".tif")
    return {**paths, "main": paths["classes"]} if is_main else paths


def _locate(output: Path, name: str, suffix: str) -> Path:
    """Return the file for the image ``name`` in the folder ``output``, or by its pattern."""
    if _WILDCARD in output.name:
        return output.with_name(output.name.replace(_WILDCARD, name))
    if output.suffix and not output.is_dir():
        raise ParameterError(
            f"With --separate, an output is a folder, but {output} is named like a file.",
            f"Name a folder, or put a * for the name of the image: '{output.with_stem(output.stem + '_*')}'.",
        )
    return output / f"{name}{suffix}"


def _name_images(images: Sequence[Path]) -> list[str]:
    """Return a name for each image: its own without suffix, with that of its folder where several have the same.

    Raises:
        ParameterError: two images have the same name and their folders, too.
    """
    names = [image.stem for image in images]
    counts = Counter(name.casefold() for name in names)
    names = [
        f"{image.absolute().parent.name}_{name}" if counts[name.casefold()] > 1 else name
        for image, name in zip(images, names, strict=True)
    ]
    (name, count), *_ = Counter(name.casefold() for name in names).most_common(1)
    if count > 1:
        raise ParameterError(f"{count} images would have results of the same name, {name}.", "Rename them first.")
    return names


def run_batch(
    items: Sequence[BatchItem[R]], run: Callable[[R, RunContext], Result], context: RunContext, *, overwrite: bool
) -> Result:
    """Run every image, whatever becomes of the others.

    Args:
        items: the images.
        run: runs one of them.
        context: receives messages and progress; checked for cancellation.
        overwrite: whether outputs that exist may be replaced.

    Returns:
        The result with the table of images.

    Raises:
        OutputError: outputs exist, and they are neither skipped nor replaced.
        Cancelled: the batch was cancelled; finished images stay.
        TerraSporeError: something failed that would fail for every other image, such as the model.
    """
    resume = any(item.request.resume for item in items)
    done_before = [resume and all(path.exists() for path in item.outputs) for item in items]
    if not overwrite and not resume:
        existing = [path for item in items for path in item.outputs if path.exists()]
        if existing:
            raise OutputError(
                f"{len(existing)} of the outputs exist already, {existing[0]} the first of them.",
                "Skip what is done with --resume, or replace it with --overwrite.",
            )
    for folder in dict.fromkeys(path.parent for item in items for path in item.outputs):
        with translate_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    start, outcomes = context.clock(), []
    for number, (item, is_done) in enumerate(zip(items, done_before, strict=True)):
        context.report(Progress("images", number, len(items)))
        outcomes.append(_run_item(item, run, context, number, len(items), is_done=is_done))
    context.report(Progress("images", len(items), len(items)))
    return _summarize(items, outcomes, context.clock() - start)


def _run_item(
    item: BatchItem[R],
    run: Callable[[R, RunContext], Result],
    context: RunContext,
    number: int,
    count: int,
    *,
    is_done: bool,
) -> ImageOutcome:
    """Run one image and return what became of it; arguments and errors as for ``run_batch``."""
    image, main = item.request.image.image, item.outputs[0]
    if is_done:
        return ImageOutcome(str(image), "skipped", str(main), "Its result was there already.")
    start = context.clock()
    has_journal = item.request.resume and find_unfinished_run(main) is not None
    request = replace(item.request, resume=has_journal)
    progress = Progress("images", number, count)
    reporter = CallbackReporter(partial(_pass_on, context=context, name=image.name, progress=progress))
    part = RunContext(reporter, Cancellation(context.cancellation), context.clock, context.slow_after)
    try:
        context.check_cancelled()
        result = run(request, part)
    except Cancelled as error:
        text = f"Cancelled; {number} of {count} images are finished, and the others have no result."
        raise Cancelled(text) from error
    except _FATAL:
        raise
    except TerraSporeError as error:
        context.report(Message(f"{image.name} failed: {error}"))
        return ImageOutcome(str(image), "failed", str(main), str(error), context.clock() - start)
    return ImageOutcome(str(image), "done", str(main), result.text, context.clock() - start)


def _pass_on(event: Event, context: RunContext, name: str, progress: Progress) -> None:
    """Pass on a message of the image ``name``, and ``progress`` of the batch for that of the image."""
    if isinstance(event, Message):
        text = event.text if name in event.text else f"{name}: {event.text}"
        context.report(replace(event, text=text))
    elif isinstance(event, Progress) and event.stage == "infer":
        context.report(progress)


def _summarize(items: Sequence[BatchItem[R]], outcomes: list[ImageOutcome], seconds: float) -> Result:
    counts = Counter(outcome.state for outcome in outcomes)
    folder = items[0].outputs[0].parent
    parts = [f"{counts['done']} of {len(outcomes)} images are done"]
    parts += [f"{counts['skipped']} were done before"] if counts["skipped"] else []
    parts += [f"{counts['failed']} failed"] if counts["failed"] else []
    listed = outcomes if len(outcomes) <= _MAX_ROWS else [entry for entry in outcomes if entry.state == "failed"]
    return Result(
        outputs={"folder": str(folder)},
        summary={"images": len(outcomes), **{state: counts[state] for state in STATES}},
        text=f"{', '.join(parts)}, in {seconds:.1f} s -> {folder}",
        seconds=seconds,
        images=tuple(listed[:_MAX_ROWS]),
        exit_code=SOME_FAILED if counts["failed"] else 0,
    )
