"""Colors of bands by description and wavelength, as files of different producers have them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from raster_files import write_raster
from terraspore.engine.raster.band_names import find_colors, name_band


def open_described(folder, descriptions=(), tags=(), ns=None):
    count = max(len(descriptions), len(tags))
    path = write_raster(folder / "image.tif", np.ones((count, 4, 4), np.uint16))
    with rasterio.open(path, "r+") as dataset:
        if descriptions:
            dataset.descriptions = descriptions
        for band, values in enumerate(tags, 1):
            dataset.update_tags(band, ns=ns, **values)
    return rasterio.open(path)


@pytest.mark.parametrize(
    ("descriptions", "expected"),
    [
        (("Blue", "Green", "Red", "NIR"), (3, 2, 1)),
        (("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"), (6, 3, 2)),
        (("B02", "B03", "B04", "B08"), (3, 2, 1)),
        (
            ("B4, central wavelength 665 nm", "B3, central wavelength 560 nm", "B2, central wavelength 490 nm"),
            (1, 2, 3),
        ),
        (("red edge", "near infrared", "infra-red"), None),
        (("SR_B4", "SR_B3", "SR_B2"), None),  # their meaning depends on the satellite
        (("red", "green", ""), None),
    ],
)
def test_descriptions(tmp_path, descriptions, expected):
    with open_described(tmp_path, descriptions) as dataset:
        assert find_colors(dataset) == expected


@pytest.mark.parametrize(
    ("key", "values", "ns"),
    [
        ("CENTRAL_WAVELENGTH_UM", ("0.842", "0.49", "0.56", "0.665"), "IMAGERY"),
        ("wavelength", ("842.0 Nanometers", "490.0 Nanometers", "560.0 Nanometers", "665.0 Nanometers"), None),
        ("wavelength", ("0.842 Micrometers", "0.49 Micrometers", "0.56 Micrometers", "0.665 Micrometers"), None),
    ],
)
def test_wavelengths(tmp_path, key, values, ns):
    with open_described(tmp_path, tags=[{key: value} for value in values], ns=ns) as dataset:
        assert find_colors(dataset) == (4, 3, 2)
        assert name_band(dataset, 1) == "infrared"


def test_of_many_bands_the_usual_wavelengths_are_taken(tmp_path):
    lengths = np.linspace(0.4, 1.0, 61)
    with open_described(tmp_path, tags=[{"wavelength": f"{length:.2f}"} for length in lengths]) as dataset:
        assert [round(float(lengths[band - 1]), 2) for band in find_colors(dataset)] == pytest.approx(
            [0.665, 0.56, 0.49], abs=0.0051
        )
