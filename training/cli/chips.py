"""``terraspore chips``: cut training chips from a raster and a vector layer."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ...engine.cli.cli_context import json_option, run_command
from ...engine.cli.paths import PATH
from ...engine.context import RunContext
from ...engine.errors import ParameterError
from ...engine.protocol.messages import Result


@click.command()
@click.argument("image", type=PATH)
@click.argument("labels", type=PATH)
@click.option("--out", "--output", type=PATH, required=True, help="Folder for the chips.")
@click.option("--layer", help="Layer of LABELS; the first unless given.")
@click.option("--field", help="Attribute with the class; one class unless given.")
@click.option("--classes", help="Values of --field by class id, separated by commas.")
@click.option("--width", type=float, default=7.0, show_default=True, help="Width of lines in metres.")
@click.option("--width-field", help="Attribute with the width of lines in metres.")
@click.option("--size", type=int, default=512, show_default=True, help="Side of a chip in pixels.")
@click.option("--stride", type=int, help="Pixels from chip to chip in training; --size unless given.")
@click.option("--resolution", type=float, help="Ground resolution in metres; the image's unless given.")
@click.option("--bands", help="Bands of the image, as in 4,3,2.")
@click.option("--validation", type=float, default=0.2, show_default=True, help="Share of the image for validation.")
@json_option
def chips(
    *,
    image: Path,
    labels: Path,
    out: Path,
    layer: str | None,
    field: str | None,
    classes: str | None,
    width: float,
    width_field: str | None,
    size: int,
    stride: int | None,
    resolution: float | None,
    bands: str | None,
    validation: float,
    as_json: bool,
) -> None:
    """Cut training chips from the raster IMAGE and the vector layer LABELS.

    Lines (roads) get their width on the ground; polygons (land cover) their class from --field. Training and validation
    chips lie in different parts of the image. OUT/train.yaml is ready for `terraspore train`.
    """

    def run(context: RunContext) -> Result:
        """Cut the chips."""
        from ..chips import ChipsRequest, cut_chips

        request = ChipsRequest(
            image=image,
            labels=labels,
            out=out,
            layer=layer,
            field=field,
            classes=tuple(name.strip() for name in classes.split(",")) if classes else (),
            width=width,
            width_field=width_field,
            size=size,
            stride=stride,
            resolution=resolution,
            bands=_parse_bands(bands),
            validation=validation,
        )
        started = time.perf_counter()
        summary = cut_chips(request, context)
        shares = {f"pixels_{name}": count for name, count in zip(summary.names, summary.pixels, strict=True)}
        return Result(
            outputs={"folder": str(out), "config": str(summary.config)},
            summary={"train": summary.train, "valid": summary.valid, "resolution": summary.resolution, **shares},
            seconds=time.perf_counter() - started,
            text=f"{summary.train} training and {summary.valid} validation chips; train with {summary.config}.",
        )

    run_command(as_json, run)


def _parse_bands(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(band) for band in text.split(",")) if text else ()
    except ValueError as error:
        raise ParameterError(f"--bands {text!r} is not a list of band numbers.") from error
