"""The estimate of what a country takes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.importorskip("distributed")

from bench_country import BlockCosts, estimate_country

COSTS = BlockCosts(0.05, 0.4, 500_000_000, tile=512, overlap=64, precision="float32")


def test_a_country_is_divided_as_a_run_is():
    country = estimate_country(400_000, 1.0, COSTS)
    assert (country.tiles, country.blocks) == (1412**2, 157**2)
    assert country.core_hours == pytest.approx(27.7, abs=0.1)
    assert country.read_bytes == pytest.approx(0.8e12, rel=0.04)
    assert country.file_bytes == pytest.approx(0.16e12)
    assert country.partitions == pytest.approx(1490, rel=0.01)


def test_half_the_pixel_takes_four_times_as_much():
    one, half = (estimate_country(1000, resolution, COSTS) for resolution in (1.0, 0.5))
    for name in ("pixels", "tiles", "core_hours", "read_bytes", "file_bytes", "partitions"):
        assert getattr(half, name) == pytest.approx(4 * getattr(one, name), rel=0.05)
