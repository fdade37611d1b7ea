"""``make demo-pictures``: draw the pictures of the README from the results of the two demos in ``out/demo``.

The overview shows roads and land cover of the same image, so roads are extracted from the image of the land-cover demo.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import landcover
import matplotlib.patheffects
import roads
from command import terraspore
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from picture import (
    draw_image,
    draw_nodes,
    draw_polygons,
    draw_probability,
    draw_roads,
    new_figure,
    read_view,
    save_figure,
)

IMAGES = Path(__file__).resolve().parents[1] / "images"
#: Width of a panel of the overview and height of the legend under it, in inches.
PANEL, LEGEND = 4.0, 0.75


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--results", type=Path, default=Path("out/demo"), help="folder with the results of the demos")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for the pictures")
    options = parser.parse_args()
    results, out = options.results, options.out
    satellite, truth = (results / "data" / Path(member).name for member in (roads.TILE, roads.TRUTH))
    aerial = results / "data" / Path(landcover.IMAGE).name
    found, polygons, classes = (results / name for name in ("roads.gpkg", "landcover.gpkg", "landcover.tif"))
    roads.draw(satellite, found, out / "demo-roads.jpg", truth, roads.ATTRIBUTION)
    landcover.draw(aerial, polygons, classes, out / "demo-landcover.jpg", landcover.ATTRIBUTION)
    overview(aerial, polygons, classes, results, out / "demo-overview.jpg")


def overview(image: Path, cover: Path, classes: Path, results: Path, out: Path) -> None:
    """Draw four panels of one image: road probability, road lines, road areas and land cover.

    Args:
        image: the image, without georeference.
        cover: its land cover, as polygons.
        classes: its land cover, as a raster, whose georeference is used for all panels.
        results: folder for its roads.
        out: the picture to write.
    """
    found, probability = results / "overview.gpkg", results / "overview.tif"
    arguments = (
        "--pixel-size",
        landcover.PIXEL_METRES,
        "--probability",
        str(probability),
        "--overwrite",
    )
    terraspore("extract", "roads", str(image), "-o", str(found), *arguments)
    view = read_view(image, classes)
    figure, axes = new_figure(view, 4, room=LEGEND, width=PANEL)
    for axis, title in zip(axes, ("Probability of roads", "Road network", "Road areas", "Land cover"), strict=True):
        draw_image(axis, view, title)
    draw_probability(axes[0], probability)
    draw_roads(axes[1], found, view, areas=False)
    draw_nodes(axes[1], found, view)
    draw_roads(axes[2], found, view, lines=False)
    colours = landcover.class_colours(classes)
    shown = draw_polygons(axes[3], cover, view, colours, fill=0.5)
    for axis in axes:  # layers may extend a little beyond the image
        axis.set(xlim=view.extent[:2], ylim=view.extent[2:])
        _draw_scale(axis, view.metres)
    names = [name for name in colours if name in shown]
    handles = [Patch(facecolor=colours[name], edgecolor="0.4", linewidth=0.6, label=name) for name in names]
    figure.legend(handles=handles, loc="lower right", ncols=len(handles), fontsize=9, frameon=False)
    save_figure(figure, out, landcover.ATTRIBUTION)


def _draw_scale(axis: Axes, metres: float, length: float = 20.0) -> None:
    """Draw a scale bar of ``length`` metres at the lower left of a panel that is ``metres`` wide."""
    outline = [matplotlib.patheffects.withStroke(linewidth=3.0, foreground="black")]
    axis.plot((0.04, 0.04 + length / metres), (0.035, 0.035), color="white", linewidth=2.5, transform=axis.transAxes,
              path_effects=outline)  # fmt: skip
    axis.text(0.04, 0.05, f"{length:g} m", color="white", fontsize=8, transform=axis.transAxes, path_effects=outline)


if __name__ == "__main__":
    main()
