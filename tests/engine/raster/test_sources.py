"""The images that files, folders, patterns and lists name."""

from __future__ import annotations

import json

import numpy as np
import pyogrio
import pytest
import shapely
from raster_files import write_raster
from terraspore.engine.errors import SourceError
from terraspore.engine.protocol.options import SourceOptions
from terraspore.engine.raster.sources import find_sources

PIXELS = np.ones((3, 8, 8), np.uint8)


@pytest.fixture
def folder(tmp_path):
    """A folder with three images and much that stands beside images."""
    folder = tmp_path / "ortho photos"
    folder.mkdir()
    for name in ("b.tif", "a.tif", "C.TIF"):
        write_raster(folder / name, PIXELS)
    for name in ("a.tif.aux.xml", "a.tfw", "a.tif.ovr", "readme.txt", "index.pdf", ".hidden.tif", "preview.jpg"):
        (folder / name).write_text("x")
    (folder / "older").mkdir()
    return folder


def find(*values, **options):
    images, remarks = find_sources(values, SourceOptions(**options))
    return [path.name for path in images], " ".join(remark.text for remark in remarks)


def write_index(path, locations, **settings):
    squares = shapely.to_wkb(shapely.box(np.arange(len(locations)), 0, np.arange(len(locations)) + 1, 1))
    column = settings.pop("column", "location")
    values = np.array(locations, object)
    pyogrio.raw.write(path, squares, [values], [column], geometry_type="Polygon", crs="EPSG:32618", **settings)
    return path


def test_files_keep_their_order_and_count_once(folder):
    names, remarks = find(folder / "b.tif", str(folder / "a.tif"), folder / "older" / ".." / "b.tif")
    assert names == ["b.tif", "a.tif"]
    assert "1 images are named more than once" in remarks


def test_a_folder_gives_its_images_by_name_and_says_what_it_leaves_out(folder):
    names, remarks = find(folder)
    assert names == ["C.TIF", "a.tif", "b.tif"]
    assert "3 images" in remarks
    assert "6 other files" in remarks
    assert "1 folders are left out" in remarks


def test_a_picture_with_a_world_file_is_an_image(folder):
    (folder / "preview.jgw").write_text("1\n0\n0\n-1\n0\n0\n")
    assert "preview.jpg" in find(folder)[0]


def test_a_virtual_raster_beside_its_images_is_left_out(folder):
    (folder / "all.vrt").write_text("<VRTDataset/>")
    names, remarks = find(folder)
    assert "all.vrt" not in names
    assert "all.vrt is a virtual raster" in remarks
    assert find(folder / "all.vrt")[0] == ["all.vrt"]


def test_patterns(folder):
    assert find(folder / "*.tif")[0] == ["a.tif", "b.tif"]
    assert find(folder.parent / "**" / "[ab].*")[0] == ["a.tif", "b.tif"]
    with pytest.raises(SourceError, match=r"No file matches .*\.jp2"):
        find(folder / "*.jp2")
    (folder / "odd[1].tif").write_bytes((folder / "a.tif").read_bytes())
    assert find(folder / "odd[1].tif")[0] == ["odd[1].tif"]


def test_text_list(folder, monkeypatch):
    listed = folder / "list.txt"
    listed.write_text(f'\ufeff# images\n\nb.tif\n  "{folder / "a.tif"}"  \n*.TIF\n', encoding="utf-8")
    assert find(listed)[0] == ["b.tif", "a.tif", "C.TIF"]
    elsewhere = folder.parent / "list.lst"
    elsewhere.write_text("ortho photos/a.tif\n")
    assert find(elsewhere)[0] == ["a.tif"]
    monkeypatch.chdir(folder / "older")
    listed.write_text("../b.tif")
    assert find(listed)[0] == ["b.tif"]


def test_lists_that_name_nothing_or_themselves_are_refused(folder):
    listed = folder / "list.txt"
    listed.write_text("# nothing\n")
    with pytest.raises(SourceError, match="names no images"):
        find(listed)
    listed.write_text("list.txt\n")
    with pytest.raises(SourceError, match="or itself"):
        find(listed)
    listed.write_bytes(b"\xff\xfe\x00x")
    with pytest.raises(SourceError, match="UTF-8"):
        find(listed)


@pytest.mark.parametrize("name", ["index.gpkg", "index.shp", "index.geojson", "index.fgb"])
def test_tile_index(folder, name):
    settings = {"spatial_index": False} if name.endswith("fgb") else {}
    index = write_index(folder / name, ["b.tif", str(folder / "a.tif")], **settings)
    assert find(index)[0] == ["b.tif", "a.tif"]


def test_tile_index_without_a_location_is_refused(folder):
    with pytest.raises(SourceError, match="without a location"):
        find(write_index(folder / "index.gpkg", ["b.tif", None]))


def test_vector_file_that_is_no_index_is_left_to_the_check_of_images(folder):
    assert find(write_index(folder / "other.gpkg", ["x"], column="name"))[0] == ["other.gpkg"]


def test_xml_of_a_tile_index(folder):
    write_index(folder / "index.gpkg", ["b.tif", "a.tif"], column="file", layer="tiles")
    xml = folder / "index.gti"
    elements = "<IndexDataset>index.gpkg</IndexDataset><IndexLayer>tiles</IndexLayer>"
    column = "<LocationField>file</LocationField><SortField>a</SortField><ResX>2</ResX><ResX>3</ResX>"
    xml.write_text(f"<GDALTileIndexDataset>{elements}{column}</GDALTileIndexDataset>")
    names, remarks = find(xml)
    assert names == ["b.tif", "a.tif"]
    assert "Of index.gti, SortField, ResX is not used" in remarks
    for text in ("<GDALTileIndexDataset/>", "<Other/>", "no XML"):
        xml.write_text(text)
        with pytest.raises(SourceError, match=r"index\.gti"):
            find(xml)


def test_tile_index_that_filters_its_images_is_refused(folder):
    write_index(folder / "index.gpkg", ["b.tif", "a.tif"])
    xml = folder / "index.gti"
    elements = "<IndexDataset>index.gpkg</IndexDataset><Filter>location = 'a.tif'</Filter>"
    xml.write_text(f"<GDALTileIndexDataset>{elements}</GDALTileIndexDataset>")
    with pytest.raises(SourceError, match="Filter"):
        find(xml)


@pytest.mark.parametrize("index", ["https://example.com/index.gpkg", "/vsicurl/https://example.com/index.gpkg"])
def test_index_of_a_tile_index_is_not_read_from_the_network(folder, index):
    xml = folder / "index.gti"
    xml.write_text(f"<GDALTileIndexDataset><IndexDataset>{index}</IndexDataset></GDALTileIndexDataset>")
    with pytest.raises(SourceError, match=r"network|No such file"):
        find(xml)


def write_stac(path, *assets, links=()):
    items = [
        {"type": "Feature", "stac_version": "1.0.0", "id": f"item{number}", "assets": entry}
        for number, entry in enumerate(assets)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items, "links": list(links)}))
    return path


def test_stac_items(folder):
    tiff = "image/tiff; application=geotiff; profile=cloud-optimized"
    assets = [
        {"visual": {"href": f"./{name}", "type": tiff}, "thumbnail": {"href": "preview.jpg", "type": "image/jpeg"}}
        for name in ("b.tif", "a.tif")
    ]
    path = write_stac(folder / "items.json", *assets)
    names, remarks = find(path)
    assert names == ["b.tif", "a.tif"]
    assert "2 STAC items" in remarks
    assert "visual" in remarks
    path = write_stac(folder / "one.json", {"B04": {"href": "a.tif", "type": tiff}, "meta": {"href": "x.xml"}})
    assert find(path)[0] == ["a.tif"]
    single = folder / "single.json"
    single.write_text(json.dumps(json.loads(path.read_text())["features"][0]))
    assert find(single)[0] == ["a.tif"]


def test_asset_of_stac_items_is_chosen_by_the_person_where_it_is_not_clear(folder):
    tiff = "image/tiff"
    assets = {"B04": {"href": "a.tif", "type": tiff}, "B08": {"href": "b.tif", "type": tiff}}
    path = write_stac(folder / "items.json", assets, links=[{"rel": "next", "href": "https://example.com"}])
    with pytest.raises(SourceError, match="B04, B08") as caught:
        find(path)
    assert "--asset" in caught.value.hint
    names, remarks = find(path, asset="B08")
    assert names == ["b.tif"]
    assert "one page of several" in remarks
    with pytest.raises(SourceError, match="has no asset B02"):
        find(path, asset="B02")


def test_what_names_no_image_is_refused(folder):
    with pytest.raises(SourceError, match="There are no images in"):
        find(folder / "older")
    (folder / "data.json").write_text("{}")
    assert find(folder / "data.json")[0] == ["data.json"]  # refused when it is opened
