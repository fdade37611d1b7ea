"""Folders of FlatGeobuf files: their index opens them as one layer, and nothing of a person is replaced."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from terraspore.engine.errors import OutputError, ParameterError
from terraspore.engine.fs.output_folder import check_output_folder
from terraspore.engine.fs.outputs import Outputs, lock_outputs
from terraspore.engine.vector.io import writer as writers
from terraspore.engine.vector.io.folder import check_vector_folder
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.io.writer import open_vector_writer


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "_PART_FEATURES", 10)


def write(path: Path, batches: int, outputs: Outputs | None = None) -> dict[str, Path]:
    """Write batches of four lines, no node and one area."""
    target = VectorTarget(path, metadata={"MODEL": "m"}, outputs=outputs)
    with open_vector_writer(target, "EPSG:25832", warnings=["a warning"]) as writer:
        writer.styles["roads"] = "<qgis/>"
        for number in range(batches):
            lines = [shapely.LineString([(number, row), (number + 1, row)]) for row in range(4)]
            names = np.array(["Straße", None, "", "x"], object)
            columns = {"id": np.arange(4 * number, 4 * number + 4), "name": names}
            writer.write("roads", "LineString", np.array(lines, object), columns)
        writer.write("road_nodes", "Point", np.zeros(0, object), {"id": np.zeros(0, np.int64)})
        writer.write("road_areas", "Polygon", np.array([shapely.box(0, 0, 1, 1)], object), {"id": np.array([1])})
    return writer.paths


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_open_as_one_layer(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    layers = ("roads", "road_nodes", "road_areas")
    assert write(folder, 7) == {name: folder / f"{name}.vrt" for name in layers}
    assert list(tmp_path.iterdir()) == [folder]
    files = {"roads.qml", *(f"{name}.vrt" for name in layers), *(f"{name}/000001.fgb" for name in layers)}
    assert set(list_files(folder)) == files | {"roads/000002.fgb", "roads/000003.fgb"}
    info = pyogrio.read_info(folder / "roads.vrt")
    assert (info["crs"], info["features"], info["geometry_type"]) == ("EPSG:25832", 28, "LineString")
    assert info["total_bounds"] == (0.0, 0.0, 7.0, 3.0)
    assert info["dataset_metadata"] == {"MODEL": "m", "WARNINGS": "a warning"}
    assert pyogrio.read_info(folder / "roads" / "000002.fgb")["layer_metadata"] == info["dataset_metadata"]
    _, _, _, fields = pyogrio.raw.read(folder / "roads.vrt")
    assert sorted(fields[0]) == list(range(28))
    assert set(fields[1]) == {"Straße", None, "", "x"}
    _, _, geometry, fields = pyogrio.raw.read(folder / "roads.vrt", bbox=(6.5, 0, 7, 1.5))
    assert (sorted(fields[0]), len(geometry)) == ([24, 25], 2)
    assert pyogrio.read_info(folder / "road_nodes.vrt")["features"] == 0


def test_layers_of_an_earlier_run_are_replaced_as_a_whole_and_on_request(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, 7)
    with pytest.raises(OutputError, match="layers of an earlier run") as caught:
        VectorTarget(folder, {"roads": "roads"}).check(overwrite=False)
    assert "--overwrite" in caught.value.hint
    VectorTarget(folder, {"roads": "roads"}).check(overwrite=True)
    write(folder, 2)
    assert "roads/000002.fgb" not in list_files(folder)
    assert pyogrio.read_info(folder / "roads.vrt")["features"] == 8
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["notes.txt", "roads.vrt.aux.xml", "roads/000001.fgb.bak", "roads/x.fgb", "other.qml"])
def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path, name: str) -> None:
    write(tmp_path / "out", 1)
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(OutputError, match=name):
        check_vector_folder(tmp_path / "out", overwrite=True)


def test_what_a_person_puts_there_during_the_run_stays(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, 7)
    with Outputs() as outputs:
        write(folder, 1, outputs)
        (folder / "notes.txt").write_text("mine")
        before = list_files(folder)
        with pytest.raises(OutputError, match=r"notes\.txt"):
            outputs.publish()
    assert list_files(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


def test_an_index_of_another_program_is_none(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    check_vector_folder(tmp_path / "out", overwrite=False)
    (tmp_path / "out" / "roads.vrt").write_text("<OGRVRTDataSource/>")
    with pytest.raises(OutputError, match=r"roads\.vrt"):
        check_vector_folder(tmp_path / "out", overwrite=True)


def test_an_earlier_folder_comes_back_where_another_output_fails(tmp_path: Path) -> None:
    folder, raster = tmp_path / "out", tmp_path / "p.tif"
    write(folder, 7)
    before = list_files(folder)
    with Outputs() as outputs:
        write(folder, 1, outputs)
        assert list_files(folder) == before
        with outputs.write(raster) as temporary:
            temporary.write_text("new")
        raster.mkdir()
        with pytest.raises(OutputError):
            outputs.publish()
    assert list_files(folder) == before
    raster.rmdir()
    assert list(tmp_path.iterdir()) == [folder]


def test_what_cannot_become_the_folder_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(*paths: Path, sources: tuple[Path, ...] = ()) -> None:
        with lock_outputs(paths, sources, folders=[paths[0]]):
            pass

    out = tmp_path / "out"
    lock(out)
    out.mkdir()
    lock(out)
    with pytest.raises(ParameterError, match="within the output"):
        lock(out, out / "p.tif")
    with pytest.raises(ParameterError, match="within the output"):
        lock(out, sources=(out / "a" / "image.tif",))
    with pytest.raises(OutputError, match="does not exist"):
        lock(tmp_path / "missing" / "out")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="there is a file of this name"):
        lock(tmp_path / "file")
    monkeypatch.setattr(os.path, "ismount", lambda _path: True)
    with pytest.raises(OutputError, match="root of a file system"):
        lock(out)


def test_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "roads"
    link.symlink_to(link)
    with pytest.raises(OutputError, match="leads to itself"):
        check_output_folder(link)
