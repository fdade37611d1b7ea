"""``terraspore export``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.cli.cli_context import json_option, run_reported
from ...engine.context import RunContext
from ...engine.errors import ParameterError
from ...engine.protocol.messages import Result

if TYPE_CHECKING:
    from ..config import Config

_FORMATS = ("onnx", "mindir")


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the model; its name is its own.")
@click.option("--config", "config_path", help="Configuration of the run; the one beside CHECKPOINT unless given.")
@click.option("--arch", help="Network, where there is no configuration.")
@click.option("--classes", help="Names of the classes, with commas between.")
@click.option("--title", help="One line for people.")
@click.option("--task", type=click.Choice(["roads", "landcover", "segmentation"]), help="What the classes mean.")
@click.option("--resolution", type=float, help="Ground resolution in metres per pixel.")
@click.option("--tile", type=int, help="Side of a tile in pixels.")
@click.option("--overlap", type=int, help="Overlap of tiles in pixels.")
@click.option("--threshold", type=float, help="Default threshold on probabilities.")
@click.option("--data", help="What it was trained on.")
@click.option("--licence", help="Licence of the weights.")
@click.option("--split", help="Which images were used for training and which for the figures.")
@click.option("--figure", "figures", multiple=True, metavar="NAME=VALUE", help="A measured figure; may be repeated.")
@click.option("--notes", default="", help="What a user should know.")
@click.option("--precision", type=click.Choice(["float32", "float16"]), default="float32", help="Of stored weights.")
@click.option("--format", "formats", type=click.Choice(_FORMATS), multiple=True, help="Beside .ckpt; all by default.")
@click.option("--only-checkpoint", is_flag=True, help="Write the checkpoint and the card only.")
@click.option("--overwrite", is_flag=True, help="Replace the folder if it is there.")
@json_option
def export(  # noqa: PLR0917 (one argument per option)
    checkpoint: Path,
    overrides: tuple[str, ...],
    out: Path,
    config_path: str | None,
    arch: str | None,
    classes: str | None,
    figures: tuple[str, ...],
    precision: Any,
    formats: tuple[str, ...],
    only_checkpoint: bool,
    overwrite: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Make a model folder of CHECKPOINT: weights, card, ONNX and MINDIR, compared with MindSpore.

    CHECKPOINT is a .ckpt or the folder of a run, whose best weights are taken. KEY=VALUE changes single values of
    the configuration.
    """

    def work(_context: RunContext) -> Result:
        """Export the model."""
        import time

        from ..export.card import CardDetails
        from ..export.model import export_model

        start = time.monotonic()
        weights, config = _checkpoint_and_config(checkpoint, config_path, arch, classes, overrides)
        details = CardDetails(name=out.name, figures=_figures(figures), **said)
        chosen: Any = () if only_checkpoint else formats or _FORMATS
        made = export_model(weights, out, config, details, precision=precision, formats=chosen, overwrite=overwrite)
        worst = max(made.differences.values())
        return Result(
            outputs={"model": str(out)},
            summary={f"difference {name}": value for name, value in made.differences.items()},
            seconds=time.monotonic() - start,
            text=f"Wrote the model {out}; probabilities differ from MindSpore's by at most {worst:.1e}.",
        )

    run_reported(as_json, work)


def _checkpoint_and_config(
    checkpoint: Path, config_path: str | None, arch: str | None, classes: str | None, overrides: tuple[str, ...]
) -> tuple[Path, Config]:
    """The weights file and the configuration that goes with it."""
    from ..config import Config, from_mapping, load_config
    from ..config.loader import merge_overrides

    weights = checkpoint / "best.ckpt" if checkpoint.is_dir() else checkpoint
    beside = weights.with_name("config.yaml")
    if config_path is None and arch is None and beside.is_file():
        config_path = str(beside)
    if config_path is not None:
        config = load_config(config_path, overrides)
    elif arch is not None:
        config = from_mapping(Config, merge_overrides({"network": {"name": arch}}, overrides))
    else:
        raise ParameterError(f"There is no configuration beside {weights}.", "Give --config or --arch.")
    if arch is not None:
        config = dataclasses.replace(config, network=dataclasses.replace(config.network, name=arch))
    if classes is None:
        return weights, config
    names = tuple(name.strip() for name in classes.split(","))
    network = dataclasses.replace(config.network, num_classes=len(names))
    return weights, dataclasses.replace(config, network=network, data=dataclasses.replace(config.data, classes=names))


def _figures(texts: tuple[str, ...]) -> dict[str, float]:
    """Figures from NAME=VALUE."""
    figures = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            figures[name] = float(value)
        except ValueError:
            raise ParameterError(f"The figure {text!r} is not of the form NAME=VALUE.") from None
    return figures
