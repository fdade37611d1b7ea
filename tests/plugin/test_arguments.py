"""The plugin's command lines for the engine: no name becomes an option, and numbers are the same in every locale."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.plugin.processing.arguments import Options, extract_words, number


@given(
    st.text(min_size=1, max_size=30).filter(lambda name: "\0" not in name and "/" not in name),
    st.text(min_size=1, max_size=20),
)
def test_no_name_becomes_an_option(name, model):
    image, output = Path("/data") / name, Path("/out") / f"{name}.gpkg"
    words = extract_words("roads", image, output, Options(model=model, bands=(3, 2, 1), threshold=0.25), {})
    assert words[:3] == ["extract", "roads", str(image)]
    assert words[2].startswith("/")
    assert [word.split("=")[0] for word in words[3:]] == ["--output", "--model", "--bands", "--threshold"]


@given(st.floats(0, 1e6))
def test_numbers_have_a_point_in_every_locale(value):
    assert float(number(value)) == pytest.approx(value, abs=1e-8)
    assert "," not in number(value)
