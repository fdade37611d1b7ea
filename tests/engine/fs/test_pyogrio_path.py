"""Vector files are written and read under any name, or refused; another file is never opened instead."""

import numpy as np
import pyogrio
import pytest
import shapely
from terraspore.engine.errors import VectorError
from terraspore.engine.fs.pyogrio_path import pyogrio_path
from terraspore.engine.vector.io.formats import check_vector_output

GOOD = (
    "a b.gpkg",
    "a?b#c.gpkg",
    "$(x) %41.gpkg",
    "file:a.gpkg",
    "zip+s3:a.gpkg",
    "--help.gpkg",
    "ü☂.gpkg",
)


def write(path):
    pyogrio.raw.write(
        pyogrio_path(path),
        geometry=np.array([shapely.to_wkb(shapely.Point(1, 2))], object),
        field_data=[],
        fields=np.array([]),
        driver="GPKG",
        layer="a",
        crs="EPSG:4326",
        geometry_type="Point",
    )


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("folder", ["plain", "a;b c"])
def test_file_is_written_and_read_under_its_name(tmp_path, monkeypatch, name, folder):
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / folder / name
    write(path)
    assert [entry.name for entry in (tmp_path / folder).iterdir()] == [name]
    assert [entry.name for entry in tmp_path.iterdir()] == [folder]
    assert len(pyogrio.raw.read(pyogrio_path(path))[2]) == 1


@pytest.mark.parametrize(
    "name", ["a!b.gpkg", "with!mark/b.gpkg", "a;b.gpkg", "x.zip!y.gpkg", "a\nb.gpkg", "a;b?c/d.gpkg"]
)
def test_paths_that_pyogrio_would_change_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "b.gpkg")  # what pyogrio would read in the place of a!b.gpkg
    with pytest.raises(VectorError, match="a ';' or"):
        pyogrio_path(tmp_path / name)


def test_outputs_are_checked_before_any_work(tmp_path):
    (tmp_path / "with!mark").mkdir()
    with pytest.raises(VectorError):
        check_vector_output(tmp_path / "with!mark" / "a.gpkg")
    for name in ("a!b.gpkg", "; rm -rf x.gpkg", "a\nb.gpkg"):  # written under another name first
        check_vector_output(tmp_path / name)
