"""Images on the network, from a server on loopback with range requests and faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine
from range_server import serve_ranges
from raster_files import NORTH_UP, write_raster
from terraspore.engine.context import RunContext
from terraspore.engine.errors import ParameterError, SourceChangedError, SourceError, UserError
from terraspore.engine.models.card import read_card
from terraspore.engine.pipeline.imagery import open_imagery
from terraspore.engine.protocol.options import ImageOptions
from terraspore.engine.raster.dataset import identify_image, open_source
from terraspore.engine.raster.gdal_environment import SAFE_SETTINGS, configure_environment
from terraspore.engine.raster.remote import gdal_name, is_remote, remote_name
from terraspore.engine.raster.sources import find_sources

ALLOWED = ImageOptions(allow_remote=True)
ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")


@pytest.fixture(scope="module")
def card(make_model):
    return read_card(make_model() / "card.json")


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    with serve_ranges(folder) as server:
        yield server


def noise(size, seed=1):
    return np.random.default_rng(seed).integers(1, 255, (3, size, size)).astype(np.uint8)


def read(paths, card, options=ALLOWED, window=None):
    with ExitStack() as stack:
        imagery = stack.enter_context(open_imagery(paths, options, RunContext()))
        view = imagery.make_view(imagery.make_grid(1.0), None, 1.0, card, stack)
        x0, y0, x1, y1 = window or (0, 0, view.spec.grid.width, view.spec.grid.height)
        out = np.empty((3, y1 - y0, x1 - x0), np.uint8)
        view.read(x0, y0, x1, y1, out)
        return out


def test_names():
    names = {
        "https://host/a/b.tif": "/vsicurl/https://host/a/b.tif",
        "/vsicurl/https://host/b.tif": "/vsicurl/https://host/b.tif",
        "s3://bucket/key.tif": "/vsis3/bucket/key.tif",
        "/vsis3/bucket/key.tif": "/vsis3/bucket/key.tif",
        "gs://bucket/key.tif": "/vsigs/bucket/key.tif",
        "az://container/key.tif": "/vsiaz/container/key.tif",
    }
    for given, name in names.items():
        assert is_remote(Path(given))
        assert gdal_name(Path(given)) == name
    assert not is_remote(Path("/data/https/b.tif"))
    assert not is_remote(Path("/vsizip/a.zip/b.tif"))
    assert remote_name(Path("https://host/b.tif?sig=a/b")) == "b.tif"
    with pytest.raises(SourceError, match="of a kind"):
        gdal_name(Path("ftp://host/b.tif"))


def test_without_the_option_nothing_is_asked(server):
    write_raster(server.folder / "a.tif", noise(64))
    for address in (f"{server.address}/a.tif", f"/vsicurl/{server.address}/a.tif", "s3://bucket/a.tif"):
        (path,), _ = find_sources([address])
        with pytest.raises(SourceError, match="is an address on the network") as caught:
            identify_image(path)
        assert "--allow-remote" in caught.value.hint
        with pytest.raises(SourceError), open_source(path):
            pass
    assert server.requests == []


def test_remote_image_is_the_local_one_and_only_parts_are_read(server, card):
    pixels = noise(1024)
    path = write_raster(server.folder / "a.tif", pixels, tiled=True, blockxsize=128, blockysize=128)
    remote = Path(f"{server.address}/a.tif?signature=secret")
    np.testing.assert_array_equal(read([remote], card), pixels)
    server.requests.clear()
    np.testing.assert_array_equal(
        read([Path(f"{server.address}/a.tif?2")], card, window=(0, 0, 100, 100)), pixels[:, :100, :100]
    )
    assert 0 < server.sent < path.stat().st_size / 4


@pytest.mark.parametrize("fault", [503, "reset", "short", "slow"])
def test_faults_are_survived(server, card, fault):
    pixels = noise(512)
    write_raster(server.folder / "a.tif", pixels, tiled=True, blockxsize=128, blockysize=128)
    server.fault = lambda number: fault if number % 3 == 1 else None
    np.testing.assert_array_equal(read([Path(f"{server.address}/a.tif?{fault}")], card), pixels)


def test_server_that_always_fails_is_named(server, card, monkeypatch):
    from terraspore.engine.raster import remote

    monkeypatch.setattr(remote, "_TRIES", 2)
    monkeypatch.setattr(remote, "_CLIENT_SETTINGS", {**remote._CLIENT_SETTINGS, "GDAL_HTTP_MAX_RETRY": "1"})
    write_raster(server.folder / "a.tif", noise(512), tiled=True, blockxsize=128, blockysize=128)
    server.fault = lambda number: 503 if number > 0 else None
    with pytest.raises(SourceError, match=r"a\.tif") as caught:
        read([Path(f"{server.address}/a.tif?signature=secret")], card)
    assert "secret" not in str(caught.value)


def test_missing_and_unreachable_images_are_refused_by_name(server, card):
    with pytest.raises(SourceError, match=r"missing\.tif does not exist on its server"):
        read([Path(f"{server.address}/missing.tif")], card)
    with pytest.raises(SourceError, match="does not answer"):
        read([Path("http://127.0.0.1:9/a.tif")], card)


def test_server_without_head_is_asked_for_a_byte(server, card):
    pixels = noise(64)
    write_raster(server.folder / "a.tif", pixels)
    server.has_head = False
    identity = identify_image(Path(f"{server.address}/a.tif"), allow_remote=True)
    assert identity.size == (server.folder / "a.tif").stat().st_size


def test_change_on_the_server_is_noticed(server):
    path = write_raster(server.folder / "a.tif", noise(64))
    with open_source(Path(f"{server.address}/a.tif?changed"), ALLOWED) as source:
        source.check_unchanged()
        assert source.identity.path == f"{server.address}/a.tif"
        os.utime(path, ns=(5, 10**9))
        with pytest.raises(SourceChangedError):
            source.check_unchanged()


def test_identity_on_the_server(server):
    """Its ETag counts, and the parameters of the address, which may be a signature, do not."""
    path = write_raster(server.folder / "a.tif", noise(64))
    one, two = (identify_image(Path(f"{server.address}/a.tif?key={key}"), allow_remote=True) for key in "ab")
    assert one == two
    assert "key" not in one.path
    stamp = path.stat().st_mtime_ns
    os.utime(path, ns=(stamp, stamp // 10**9 * 10**9 + (stamp + 1) % 10**9))  # the server's dates are of whole seconds
    other = identify_image(Path(f"{server.address}/a.tif"), allow_remote=True)
    assert (other.size, other.modified) == (one.size, one.modified)
    assert other != one


def test_only_the_image_is_asked_for(server, card):
    """Neither side files nor other images are opened while one of them is read."""
    from terraspore.engine.raster.remote import allow_opening

    pixels = noise(256)
    for name in ("a.tif", "other.tif"):
        write_raster(server.folder / name, pixels, tiled=True, blockxsize=64, blockysize=64)
    np.testing.assert_array_equal(read([Path(f"{server.address}/a.tif?only")], card), pixels)
    assert {path.partition("?")[0] for _, path, _ in server.requests} == {"/a.tif"}
    assert server.asked == {"/a.tif"}
    server.requests.clear()
    with (
        rasterio.Env(**SAFE_SETTINGS),
        allow_opening(Path(f"{server.address}/a.tif")),
        pytest.raises(rasterio.RasterioIOError),
    ):
        rasterio.open(f"/vsicurl/{server.address}/other.tif")
    assert server.requests == []


def test_remote_virtual_raster_is_not_opened(server, tmp_path):
    local = write_raster(tmp_path / "local.tif", noise(64))
    vrt = f"""<VRTDataset rasterXSize="64" rasterYSize="64"><GeoTransform>0,1,0,0,0,-1</GeoTransform>
    <VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{local}</SourceFilename>
    <SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""
    (server.folder / "a.tif").write_text(vrt)
    with (
        pytest.raises(SourceError, match="cannot be read as a raster"),
        open_source(Path(f"{server.address}/a.tif?vrt"), ALLOWED),
    ):
        pass
    (tmp_path / "b.vrt").write_text(vrt.replace(str(local), f"/vsicurl/{server.address}/a.tif"))
    with pytest.raises(SourceError, match="connects to the network"), open_source(tmp_path / "b.vrt", ALLOWED):
        pass


def test_subdatasets_of_remote_images_cannot_be_chosen(server):
    write_raster(server.folder / "a.tif", noise(64))
    options = ImageOptions(allow_remote=True, subdataset="1")
    with pytest.raises(ParameterError, match="no sub-dataset"), open_source(Path(f"{server.address}/a.tif"), options):
        pass


def test_local_and_remote_images_form_a_mosaic(server, tmp_path, card):
    pixels = noise(200)
    local = write_raster(tmp_path / "left.tif", pixels[:, :, :90])
    write_raster(server.folder / "right.tif", pixels[:, :, 90:], transform=NORTH_UP @ Affine.translation(90, 0))
    np.testing.assert_array_equal(read([local, Path(f"{server.address}/right.tif")], card), pixels)


def test_addresses_with_two_slashes_are_refused():
    with pytest.raises(SourceError, match="two slashes"):
        find_sources(["https://host/a//b.tif"])
    assert find_sources(["https://host/b.tif?url=https://other//c"])[0]


def test_signature_is_not_shown():
    error = UserError("The image https://host/a.tif?X-Amz-Signature=abc is damaged.")
    assert error.text == "The image https://host/a.tif?... is damaged."


def test_credentials_and_proxies_stay_known():
    variables = {
        "AWS_PROFILE": "p", "GDAL_HTTP_USERPWD": "u:p", "GDAL_HTTP_TIMEOUT": "1", "https_proxy": "http://proxy:1",
        "NO_PROXY": "inside",
    }  # fmt: skip
    configure_environment(variables)
    configure_environment(variables)
    assert variables["AWS_PROFILE"] == "p"
    assert variables["GDAL_HTTP_USERPWD"] == "u:p"
    assert "GDAL_HTTP_TIMEOUT" not in variables
    assert variables["https_proxy"] == "http://127.0.0.1:9"
    assert variables["TERRASPORE_PROXY_HTTPS_PROXY"] == "http://proxy:1"
    assert variables["TERRASPORE_PROXY_NO_PROXY"] == "inside"


def call(*arguments, **environment):
    """Run a command in a process of its own, which has configured its environment."""
    command = [sys.executable, "-m", "terraspore", *map(str, arguments), *ONNX, "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, **environment}
    )
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_command_reads_from_the_network_where_it_is_allowed(server, make_model, tmp_path):
    pixels = np.full((3, 160, 200), 20, np.uint8)
    pixels[:, 76:85, :] = 245
    write_raster(server.folder / "a.tif", pixels, tiled=True, blockxsize=64, blockysize=64)
    server.fault = lambda number: 503 if number % 4 == 1 else None
    arguments = ("extract", "roads", f"{server.address}/a.tif?key=secret", f"--model={make_model()}")
    output = tmp_path / "roads.gpkg"
    code, event = call(*arguments, f"--output={output}")
    assert (code, event["type"]) == (2, "error")
    assert "--allow-remote" in event["hint"]
    assert server.requests == []
    code, event = call(*arguments, f"--output={output}", "--allow-remote")
    assert (code, event["type"]) == (0, "result"), event
    assert pyogrio.read_info(output, layer="roads")["features"] == 1
    assert b"secret" not in output.read_bytes()


def test_store_is_read_with_signed_requests(server, make_model):
    (server.folder / "bucket").mkdir()
    write_raster(server.folder / "bucket" / "a.tif", noise(200), tiled=True, blockxsize=64, blockysize=64)
    environment = {
        "AWS_S3_ENDPOINT": server.address.removeprefix("http://"),
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    arguments = ("plan", "s3://bucket/a.tif", f"--model={make_model()}")
    code, event = call(*arguments, **environment)
    assert (code, server.requests) == (2, [])
    code, event = call(*arguments, "--allow-remote", **environment)
    assert (code, event["type"]) == (0, "result"), event
    assert event["summary"]["width"] == 200
    assert all(header.startswith("AWS4-HMAC-SHA256 Credential=id/") for header in server.authorizations)
