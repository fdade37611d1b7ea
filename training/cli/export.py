"""``terraspore export``, ``convert`` and ``average``.

They make a model folder of a checkpoint, and a checkpoint of other weights or of several checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from ...engine.cli.cli_context import reports_result
from ...engine.cli.options import PATH, declared_options, given_options
from ...engine.context import RunContext
from ...engine.errors import ParameterError, UserError
from ...engine.fs.outputs import check_written_files
from ...engine.models.card import CARD_NAME, read_card
from ...engine.models.checkpoint import write_checkpoint
from ...engine.models.domain import Domain
from ...engine.models.registry import find_weights
from ...engine.protocol.messages import Result, SummaryValue
from ...engine.protocol.options import OutputOptions
from ..export.details import CardDetails

if TYPE_CHECKING:
    from ..config import Config

_FORMATS: Final = ("onnx", "mindir")
_CONFIGURING = ("config_path", "arch", "classes", "overrides")


@click.command()
@click.argument("checkpoint", type=PATH)
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=PATH, required=True, help="Folder of the model, named like the model.")
@click.option("--config", "config_path", help="Configuration of the run; config.yaml next to CHECKPOINT unless given.")
@click.option("--arch", help="Network, if there is no configuration.")
@click.option("--classes", help="Names of the classes, separated by commas.")
@declared_options(CardDetails)
@click.option("--metric", "metrics", multiple=True, metavar="NAME=VALUE", help="A measured metric; may be repeated.")
@click.option("--precision", type=click.Choice(["float32", "float16"]), default="float32", help="Of stored weights.")
@click.option("--format", "formats", type=click.Choice(_FORMATS), multiple=True, help="Besides .ckpt; all by default.")
@click.option("--only-checkpoint", is_flag=True, help="Write the checkpoint and the card only.")
@click.option("--overwrite", is_flag=True, help="Replace an existing folder.")
@reports_result
def export(context: RunContext, checkpoint: Path, out: Path, **values: Any) -> Result:
    """Export CHECKPOINT as a model folder: weights, card, ONNX and MINDIR, compared with MindSpore.

    CHECKPOINT is a .ckpt or the folder of a run, whose best weights are exported. KEY=VALUE overrides single values of
    the configuration.
    """
    from ..export.model import export_model

    details = given_options(CardDetails, values, name=out.name, metrics=_parse_metrics(values["metrics"]))
    weights, config = _find_weights(checkpoint, **{name: values[name] for name in _CONFIGURING})
    formats: Any = () if values["only_checkpoint"] else values["formats"] or _FORMATS
    further = {name: values[name] for name in ("precision", "overwrite")}
    domain = _find_domain(weights, config, context)
    written = export_model(weights, out, config, details, domain=domain, formats=formats, **further)
    summary: dict[str, SummaryValue] = {f"difference {name}": value for name, value in written.items()}
    worst = max(written.values())
    text = f"Wrote the model {out}; probabilities differ from MindSpore's by at most {worst:.1e}."
    return Result({"model": str(out)}, summary, text)


def _find_weights(
    checkpoint: Path, config_path: str | None, arch: str | None, classes: str | None, overrides: tuple[str, ...]
) -> tuple[Path, Config]:
    """Find the weights file and its configuration, and apply the options that replace parts of the latter."""
    from ..config import from_mapping, load_config
    from ..config.loader import merge_overrides

    weights = find_weights(checkpoint)
    sibling = weights.with_name("config.yaml")
    if config_path is None and arch is None and sibling.is_file():
        config_path = str(sibling)
    if config_path is None and arch is None:
        raise ParameterError(f"There is no configuration next to {weights}.", "Give --config or --arch.")
    if arch is not None:
        overrides += (f"network.name={json.dumps(arch)}",)
    if classes is not None:
        names = [name.strip() for name in classes.split(",")]
        overrides += (f"network.num_classes={len(names)}", f"data.classes={json.dumps(names, ensure_ascii=False)}")
    if config_path is None:
        return weights, from_mapping(merge_overrides({}, overrides))
    return weights, load_config(config_path, overrides)


def _find_domain(weights: Path, config: Config, context: RunContext) -> Domain | None:
    """Find the statistics of the training images in the run's own card, or measure them where the images are there."""
    from ..data import open_training_data
    from ..export.domain import measure_domain

    try:
        card = weights.with_name(CARD_NAME)
        known = read_card(card).domain if card.is_file() else None
        return known or measure_domain(config, open_training_data(config).train, context)
    except UserError as error:
        context.warn(f"The card has no statistics of the training images, because they cannot be read: {error.text}")
        return None


def _parse_metrics(texts: tuple[str, ...]) -> dict[str, float]:
    """Values by name from NAME=VALUE."""
    metrics = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            metrics[name] = float(value)
        except ValueError:
            raise ParameterError(f"The metric {text!r} is not of the form NAME=VALUE.") from None
    return metrics


@click.command()
@click.argument("source", type=PATH)
@click.argument("target", type=PATH)
@click.option("--arch", required=True, help="Network that the weights are for.")
@click.option(
    "--part",
    type=click.Choice(["auto", "network", "encoder"]),
    default="auto",
    help="What SOURCE holds; by default what matches more names.",
)
@declared_options(OutputOptions, "overwrite")
@reports_result
def convert(
    _context: RunContext,
    source: Path,
    target: Path,
    arch: str,
    part: Literal["auto", "network", "encoder"],
    overwrite: bool | None,
) -> Result:
    """Convert the weights in SOURCE (.pth, .th, .pt or .ckpt) to the checkpoint TARGET.

    SOURCE may be of torchvision, the original D-LinkNet, GALD-DGCNet, LinkNet's PyTorch port or MindCV. PyTorch is not
    needed, and nothing in the file is executed. Any missing or unexpected name is an error.
    """
    from ..weights.convert import convert_weights

    _check_output(target, [source], overwrite)
    report, stem_pool = convert_weights(source, target, arch, part=part)
    pool = f" They were trained with stem_pool: {stem_pool}." if stem_pool else ""
    counts = {name: len(getattr(report, name)) for name in ("matched", "missing", "unexpected", "filled", "left_out")}
    summary = {"part": report.part, **counts, "stem_pool": stem_pool}
    return Result({"checkpoint": str(target)}, summary, f"Wrote {target}, {report.text()}.{pool}")


@click.command()
@click.argument("sources", type=PATH, nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--out", type=PATH, required=True, help="Checkpoint to write.")
@click.option("--weights", metavar="NUMBER,...", help="Weight of each SOURCE in the mean; equal unless given.")
@declared_options(OutputOptions, "overwrite")
@reports_result
def average(
    _context: RunContext, sources: tuple[Path, ...], out: Path, weights: str | None, overwrite: bool | None
) -> Result:
    """Average the weights of two or more trainings of one network, SOURCE..., and write them as a checkpoint.

    Each SOURCE is a .ckpt, the folder of a run, the folder of a model or the name of one. Trainings that began with the
    same weights can be averaged; the mean of unrelated ones is of no use.
    """
    from ..weights.average import average_checkpoints

    paths = [find_weights(source) for source in sources]
    _check_output(out, paths, overwrite)
    shares = _parse_weights(weights)
    write_checkpoint(out, average_checkpoints(paths, shares))
    return Result({"checkpoint": str(out)}, {"sources": len(paths)}, f"Wrote {out}, the mean of {len(paths)} files.")


def _check_output(path: Path, sources: Sequence[Path], overwrite: bool | None) -> None:
    """Raise ``UserError`` if the checkpoint ``path`` must not be written, or would have the name of another format."""
    if path.suffix.lower() != ".ckpt":
        raise ParameterError(f"The output {path} is a checkpoint, whose name has to end in .ckpt.")
    check_written_files([path], sources, overwrite=bool(overwrite))


def _parse_weights(text: str | None) -> list[float]:
    """Numbers of a text that separates them by commas; none where there is no text."""
    try:
        return [float(number) for number in text.split(",")] if text is not None else []
    except ValueError:
        raise ParameterError(f"The weights {text!r} are not numbers separated by commas.") from None
