"""The plugin's command lines for the engine: no name becomes an option, and numbers are the same in every locale."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.protocol.declaration import options_of
from terraspore.engine.protocol.options import ImageOptions, RoadOptions, RuntimeOptions
from terraspore.plugin.processing.arguments import (
    RunOptions,
    format_number,
    make_run_arguments,
    make_vectorize_arguments,
)


@given(
    st.text(min_size=1, max_size=30).filter(lambda name: "\0" not in name and "/" not in name),
    st.text(min_size=1, max_size=20),
)
def test_no_name_becomes_an_option(name, model):
    image, output = Path("/data") / name, Path("/out") / f"{name}.gpkg"
    options = RunOptions(ImageOptions(model=model, bands=(3, 2, 1)), RuntimeOptions(), threshold=0.25)
    arguments = make_run_arguments("roads", [str(image)], output, options, {})
    assert arguments[:3] == ["extract", "roads", str(image)]
    assert arguments[2].startswith("/")
    names = [argument.split("=")[0] for argument in arguments[3:]]
    assert names == ["--output", "--overwrite", "--model", "--bands", "--threshold"]


def test_only_what_differs_from_the_defaults_is_passed():
    options = RunOptions(
        ImageOptions(extent=(1.5, 2.0, 3.0, 4.0), area=Path("/a b.gpkg"), tile=256, overlap=0, memory=500, tta=True),
        RuntimeOptions(device="auto", runtime="openvino", threads=2),
        resume=True,
    )
    assert options.to_arguments() == [
        "--extent=1.5,2.0,3.0,4.0", "--area=/a b.gpkg", "--tile=256", "--overlap=0", "--memory=500", "--tta",
        "--runtime=openvino", "--threads=2", "--resume",
    ]  # fmt: skip
    image = ImageOptions(nodata=-9999.0, ignore_alpha=True)
    assert set(RunOptions(image, RuntimeOptions()).to_arguments()) == {"--nodata=-9999", "--ignore-alpha"}
    assert RunOptions(ImageOptions(), RuntimeOptions()).to_arguments() == []


@given(st.floats(0, 1e6))
def test_numbers_have_a_point_in_every_locale(value):
    assert float(format_number(value)) == pytest.approx(value, abs=1e-8)
    assert "," not in format_number(value)


def test_vectorize_takes_numbers_and_switches():
    roads = options_of(RoadOptions)
    values = [(roads["gap"], 30.0), (roads["spur"], None), (roads["areas"], False)]
    arguments = make_vectorize_arguments("roads", Path("/p.tif"), Path("/r.gpkg"), values)
    assert arguments == ["vectorize", "roads", "/p.tif", "--output=/r.gpkg", "--overwrite", "--gap=30", "--no-areas"]
    layered = make_vectorize_arguments("roads", Path("/p.tif"), Path("/r.gpkg"), layer="--my roads")
    assert layered == ["vectorize", "roads", "/p.tif", "--output=/r.gpkg", "--layer=--my roads", "--overwrite"]
