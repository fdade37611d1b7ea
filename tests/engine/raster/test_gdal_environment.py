from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading

import numpy as np
import pyogrio
import pytest
import shapely
from terraspore.engine.raster.gdal_environment import configure_environment


def test_foreign_settings_are_removed():
    variables = {"GDAL_DATA": "/x", "PROJ_LIB": "/x", "GDAL_VRT_ENABLE_PYTHON": "YES", "PATH": "/bin", "HOME": "/h"}
    configure_environment(variables)
    assert variables["PATH"] == "/bin"
    assert variables["HOME"] == "/h"
    assert "GDAL_DATA" not in variables
    assert "PROJ_LIB" not in variables
    assert variables["GDAL_VRT_ENABLE_PYTHON"] == "NO"


def test_geopackages_are_written_without_a_flush_for_each_batch():
    code = """
from terraspore.engine.raster.gdal_environment import configure_environment
configure_environment()
import pyogrio
assert pyogrio.get_gdal_config_option("OGR_SQLITE_SYNCHRONOUS") is False  # OFF
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


@pytest.fixture
def requests():
    """Address of a server on loopback, and the requests that it has received."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            got.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 (the name that the server calls)

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["index.gti.gpkg", "index.gti"])
@pytest.mark.parametrize("command", [["info"], ["vectorize"]])
def test_tile_index_is_not_opened_as_an_image(tmp_path, requests, name, command):
    """GDAL's driver would open the images that it names, without a check of them, also behind a virtual raster."""
    address, got = requests
    pyogrio.raw.write(
        tmp_path / "index.gti.gpkg",
        shapely.to_wkb(shapely.box([0, 8], 0, [8, 16], 8)),
        [np.array([f"/vsicurl/http://{address}/a.tif", str(tmp_path / "pipe.tif")], object)],
        ["location"],
        geometry_type="Polygon",
        crs="EPSG:32618",
    )
    os.mkfifo(tmp_path / "pipe.tif")
    size = "".join(f"<{entry}>1</{entry}>" for entry in ("ResX", "ResY", "BandCount"))
    index = f"<IndexDataset>index.gti.gpkg</IndexDataset>{size}<DataType>Byte</DataType>"
    (tmp_path / "index.gti").write_text(f"<GDALTileIndexDataset>{index}</GDALTileIndexDataset>")
    output = ["-o", "roads.gpkg"] if command == ["vectorize"] else []
    done = subprocess.run(
        [sys.executable, "-m", "terraspore", *command, name, *output],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "tile index" in done.stderr
    assert got == []


#: Sources that the look at the VRT's text does not know.
HIDDEN = (
    "GTI:http://{}/a.gpkg",
    "WMTS:http://{}/w?",
    "&#x2f;vsicurl&#x2f;http://{}/a.tif",
    "/vsizip//vsicurl?url=http://{}/a.zip/a.tif",
    "WCS:http://{}/w",
    "NETCDF:&quot;http://{}/a.nc&quot;:v",
    "NETCDF:http://{}/a.nc#mode=bytes:v",
    "DODS:http://{}/a",
    "vrt://http://{}/a.tif?bands=1",
    "MVT:http://{}/1/2/3.pbf",
    "ZARR:&quot;/vsizip/vsicurl/http://{}/a.zarr&quot;",
    "STACIT:http://{}/a.json",
    "{{&quot;type&quot;: &quot;MRF_META&quot;, &quot;href&quot;: &quot;http://{}/x&quot;}}",
)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_no_connection_is_opened_for_a_file(tmp_path, requests, hidden):
    address, got = requests
    path = tmp_path / "image.tif"
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="3"><GeoTransform>0,1,0,0,0,-1</GeoTransform>'
        f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{hidden.format(address)}'
        "</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    done = subprocess.run(
        [sys.executable, "-m", "terraspore", "info", str(path)], capture_output=True, text=True, timeout=300
    )
    assert got == []
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
