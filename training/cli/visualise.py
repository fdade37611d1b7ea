"""``terraspore visualise``: draw predicted classes over images."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ...engine.cli.cli_context import json_option, run_command
from ...engine.cli.options import declared_options
from ...engine.cli.paths import PATH
from ...engine.context import RunContext
from ...engine.protocol.messages import Result
from ...engine.protocol.options import OutputOptions


@click.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--checkpoint", type=PATH, help="Weights; init.checkpoint of CONFIG unless given.")
@click.option("--split", help="Split to show; data.test of CONFIG unless given.")
@click.option("--images", type=PATH, help="A picture or a folder of them, instead of a split.")
@click.option(
    "--augmented",
    type=click.IntRange(1, 10_000),
    help="Show so many samples of a training, with their labels.",
)
@click.option("--out", type=PATH, required=True, help="Folder for the pictures.")
@click.option("--mix/--no-mix", default=True, show_default=True, help="Blend the colours over the image.")
@click.option("--alpha", type=float, default=0.5, show_default=True, help="Opacity of the colours, 0 to 1.")
@declared_options(OutputOptions, "overwrite")
@json_option
def visualise(
    config: str,
    overrides: tuple[str, ...],
    *,
    checkpoint: Path | None,
    split: str | None,
    images: Path | None,
    augmented: int | None,
    out: Path,
    mix: bool,
    alpha: float,
    overwrite: bool | None,
    as_json: bool,
) -> None:
    """Write the classes that a network predicts for images, in their colours, over the image or by themselves.

    With --augmented nothing is predicted: the pictures are the first samples of a training, as it will see them.
    """
    from ..config import load_config

    loaded = load_config(config, overrides)

    def run(context: RunContext) -> Result:
        """Draw the predictions."""
        from ..evaluation.plots import plot_predictions, plot_samples

        started = time.perf_counter()
        opacity, replace = alpha if mix else None, bool(overwrite)
        if augmented is not None:
            count = plot_samples(loaded, out, augmented, alpha=opacity, overwrite=replace, context=context)
        else:
            count = plot_predictions(
                loaded,
                checkpoint,
                out,
                split=split,
                images=images,
                alpha=opacity,
                overwrite=replace,
                context=context,
            )
        return Result(
            outputs={"folder": str(out)},
            summary={"images": count},
            seconds=time.perf_counter() - started,
            text=f"{count} pictures in {out}.",
        )

    run_command(as_json, run)
