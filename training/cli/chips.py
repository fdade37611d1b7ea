"""``terraspore chips``: cut training chips from a raster and a vector layer."""

from __future__ import annotations

from typing import Any

import click

from ...engine.cli.cli_context import reports_result
from ...engine.cli.options import FiniteRange, declared_options
from ...engine.cli.paths import PATH
from ...engine.context import RunContext
from ...engine.protocol.messages import Result
from ...engine.protocol.options import MAX_LENGTH, ImageOptions


@click.command()
@click.argument("image", type=PATH)
@click.argument("labels", type=PATH)
@click.option("--out", "--output", type=PATH, required=True, help="Folder for the chips.")
@click.option("--layer", help="Layer of LABELS; the first unless given.")
@click.option("--field", help="Attribute with the class; one class unless given.")
@click.option("--classes", help="Values of --field by class id, separated by commas.")
@click.option(
    "--width", type=FiniteRange(0, MAX_LENGTH), default=7.0, show_default=True, help="Width of lines in metres."
)
@click.option("--width-field", help="Attribute with the width of lines in metres.")
@click.option("--size", type=int, default=512, show_default=True, help="Side of a chip in pixels.")
@click.option("--stride", type=int, help="Pixels from chip to chip in training; --size unless given.")
@click.option(
    "--resolution",
    type=FiniteRange(0, MAX_LENGTH, min_open=True),
    help="Ground resolution in metres; the image's unless given.",
)
@click.option(
    "--validation", type=FiniteRange(0, 1), default=0.2, show_default=True, help="Share of the image for validation."
)
@declared_options(ImageOptions, "bands", "nodata", "ignore_alpha")
@reports_result
def chips(
    context: RunContext,
    *,
    classes: str | None,
    bands: tuple[int, ...] | None,
    ignore_alpha: bool | None,
    **options: Any,
) -> Result:
    """Cut training chips from the raster IMAGE and the vector layer LABELS.

    Lines (roads) get their width on the ground; polygons (land cover) their class from --field. Training and validation
    chips lie in different parts of the image. OUT/train.yaml is ready for `terraspore train`.
    """
    from ..chips import ChipsRequest, cut_chips

    names = tuple(name.strip() for name in classes.split(",")) if classes else ()
    request = ChipsRequest(**options, classes=names, bands=bands or (), ignore_alpha=bool(ignore_alpha))
    summary = cut_chips(request, context)
    shares = {f"pixels_{name}": count for name, count in zip(summary.names, summary.pixels, strict=True)}
    return Result(
        outputs={"folder": str(request.out), "config": str(summary.config)},
        summary={"train": summary.train, "valid": summary.valid, "resolution": summary.resolution, **shares},
        text=f"{summary.train} training and {summary.valid} validation chips; train with {summary.config}.",
    )
