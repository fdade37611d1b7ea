"""Several images on one grid, compared with the image that they were cut from."""

from __future__ import annotations

import copy
import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from raster_files import NORTH_UP, write_raster
from rasterio.enums import ColorInterp, Resampling
from rasterio.warp import calculate_default_transform, reproject
from terraspore.engine.context import RecordingReporter, RunContext
from terraspore.engine.errors import ParameterError, SourceChangedError, SourceError
from terraspore.engine.models.card import read_card
from terraspore.engine.pipeline.imagery import open_imagery
from terraspore.engine.protocol.messages import Message
from terraspore.engine.protocol.options import ImageOptions
from terraspore.engine.raster import mosaic
from terraspore.engine.raster.mosaic import open_view

RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)


@pytest.fixture(scope="module")
def card(make_model):
    return read_card(make_model() / "card.json")


@pytest.fixture(scope="module")
def stretched(make_model):
    return read_card(make_model(stretch=True) / "card.json")


def smooth(rows, columns, seed=1):
    """Smooth colors, so that resampling changes them little."""
    y, x = np.mgrid[:rows, :columns]
    random = np.random.default_rng(seed)
    waves = [np.sin(x * random.uniform(0.02, 0.06) + y * random.uniform(0.02, 0.06)) for _ in range(3)]
    return np.rint(np.array(waves) * 100 + 128).astype(np.uint8)


def noise(rows, columns, seed=1):
    return np.random.default_rng(seed).integers(1, 255, (3, rows, columns)).astype(np.uint8)


def cut(folder, pixels, boxes, **profile):
    """Write windows (x0, y0, x1, y1) of ``pixels`` as images of their own, with blocks of different sizes."""
    paths = []
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        blocks = [{}, {"tiled": True, "blockxsize": 16, "blockysize": 32}, {"blockysize": 7}][number % 3]
        place = {"transform": NORTH_UP @ Affine.translation(x0, y0)}
        path = folder / f"cut{number}.tif"
        paths.append(write_raster(path, pixels[:, y0:y1, x0:x1], **{**place, **blocks, **profile}))
    return paths


def count_open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def look(paths, card, resolution=1.0, window=None, context=None, **options):
    """Pixels and valid mask of a view of ``paths``, and its spec."""
    with ExitStack() as stack:
        context = context or RunContext()
        imagery = stack.enter_context(open_imagery(paths, ImageOptions(**options), context))
        for remark in imagery.remarks:
            context.report(remark)
        view = imagery.make_view(imagery.make_grid(resolution), None, resolution, card, stack)
        return *read(view, window), view.spec


def read(view, window=None):
    x0, y0, x1, y1 = window or (0, 0, view.spec.grid.width, view.spec.grid.height)
    out = np.full((view.spec.layers, y1 - y0, x1 - x0), 77, view.spec.dtype)
    valid = view.read(x0, y0, x1, y1, out)
    return out, np.ones(out.shape[1:], bool) if valid is None else valid


GRID_2 = [(0, 0, 70, 50), (70, 0, 150, 50), (0, 50, 70, 120), (70, 50, 150, 120)]
OVERLAPPING = [(0, 0, 90, 60), (50, 0, 150, 75), (0, 40, 80, 120), (60, 55, 150, 120)]
GRID_3 = [(x, y, x + 50, y + 40) for y in (0, 40, 80) for x in (0, 50, 100)]


@pytest.mark.parametrize("boxes", [GRID_2, GRID_3, OVERLAPPING], ids=["2x2", "3x3", "overlapping"])
def test_cuts_of_one_image_are_the_image(tmp_path, card, boxes):
    pixels = noise(120, 150)
    whole, _, single = look([write_raster(tmp_path / "whole.tif", pixels)], card)
    seen, valid, spec = look(cut(tmp_path, pixels, boxes), card)
    assert valid.all()
    np.testing.assert_array_equal(seen, whole)
    np.testing.assert_array_equal(seen, pixels)
    assert (spec.grid.transform, spec.grid.width, spec.grid.height) == (single.grid.transform, 150, 120)
    assert spec.grid.resolution == single.grid.resolution


def test_cuts_have_no_seam_where_pixels_are_averaged(tmp_path, card):
    pixels = noise(120, 150)
    for resolution in (1.7, 0.6):
        whole, _, _ = look([write_raster(tmp_path / "whole.tif", pixels)], card, resolution)
        seen, valid, _ = look(cut(tmp_path, pixels, OVERLAPPING), card, resolution)
        assert valid.all()
        np.testing.assert_array_equal(seen, whole)


def test_any_window_is_a_part_of_the_whole(tmp_path, card):
    pixels = noise(120, 150)
    seen, valid, _ = look(cut(tmp_path, pixels, GRID_3), card, window=(45, 33, 131, 97))
    np.testing.assert_array_equal(seen, pixels[:, 33:97, 45:131])
    assert valid.all()


@pytest.mark.parametrize("resolution", [1.0, 1.7, 0.6])
def test_large_windows_are_read_in_parts(tmp_path, card, monkeypatch, resolution):
    paths = cut(tmp_path, noise(120, 150), OVERLAPPING)
    whole, _, _ = look(paths, card, resolution)
    monkeypatch.setattr(mosaic, "_WINDOW_BYTES", 5000)
    seen, valid, _ = look(paths, card, resolution)
    assert valid.all()
    assert np.abs(seen.astype(int) - whole).max() <= (resolution != 1.0)  # GDAL rounds averages by its windows


@pytest.mark.parametrize("resolution", [1.7, 0.6])
def test_any_window_of_resampled_pixels_is_a_part_of_the_whole(tmp_path, card, resolution):
    paths = cut(tmp_path, noise(120, 150), GRID_3)
    whole, _, _ = look(paths, card, resolution)
    seen, valid, _ = look(paths, card, resolution, window=(15, 23, 71, 57))
    assert valid.all()
    assert np.abs(seen.astype(int) - whole[:, 23:57, 15:71]).max() <= 1  # GDAL rounds averages by its windows


def test_first_image_is_on_top_and_nodata_lets_the_next_through(tmp_path, card):
    below, above = np.full((3, 40, 60), 50, np.uint8), np.full((3, 40, 60), 200, np.uint8)
    above[:, 10:20, 10:30] = 0
    paths = [write_raster(tmp_path / "a.tif", above, nodata=0), write_raster(tmp_path / "b.tif", below)]
    seen, valid, _ = look(paths, card)
    assert valid.all()
    np.testing.assert_array_equal(seen, np.where(above == 0, below, above))
    seen, _, _ = look(paths[::-1], card)
    assert (seen == 50).all()


def test_alpha_and_mask_let_the_next_through(tmp_path, card):
    pixels, opaque = np.full((3, 40, 60), 200, np.uint8), np.full((1, 40, 60), 255, np.uint8)
    opaque[:, :15] = 0
    mask = np.full((40, 60), 255, np.uint8)
    mask[:, 30:] = 0
    paths = [
        write_raster(tmp_path / "a.tif", np.concatenate([pixels, opaque]), colorinterp=RGBA),
        write_raster(tmp_path / "b.tif", pixels // 2, mask=mask),
    ]
    seen, valid, _ = look(paths, card)
    expected = np.full((40, 60), 200)
    expected[:15, :30], expected[:15, 30:] = 100, 0
    np.testing.assert_array_equal(seen[0], expected)
    np.testing.assert_array_equal(valid, expected > 0)


def test_gap_between_images_is_not_valid(tmp_path, card):
    pixels = noise(50, 150)
    seen, valid, _ = look(cut(tmp_path, pixels, [(0, 0, 40, 50), (100, 10, 150, 50)]), card)
    assert (seen[:, :, 40:100] == 0).all()
    assert not valid[:, 40:100].any()
    assert not valid[:10, 100:].any()
    assert valid[:, :40].all()
    assert valid[10:, 100:].all()


def warp(path, pixels, transform, crs):
    """Write ``pixels`` of ``NORTH_UP``, shifted by ``transform``, in another coordinate system."""
    rows, columns = pixels.shape[1:]
    left, top = transform @ (0, 0)
    bounds = (left, top - rows, left + columns, top)
    target, width, height = calculate_default_transform("EPSG:32618", crs, columns, rows, *bounds)
    out = np.zeros((3, height, width), np.uint8)
    reproject(
        pixels, out, src_transform=transform, src_crs="EPSG:32618", dst_transform=target, dst_crs=crs,
        resampling=Resampling.bilinear,
    )  # fmt: skip
    return write_raster(path, out, crs=crs, transform=target, nodata=0)


def test_image_of_another_crs_is_warped_to_the_first(tmp_path, card):
    pixels = smooth(120, 150)
    left = cut(tmp_path, pixels, [(0, 0, 80, 120)])
    right = warp(tmp_path / "right.tif", pixels[:, :, 70:], NORTH_UP @ Affine.translation(70, 0), "EPSG:32617")
    reporter = RecordingReporter()
    seen, valid, spec = look([*left, right], card, context=RunContext(reporter))
    assert spec.grid.crs == "EPSG:32618"
    x, y = map(round, ~spec.grid.transform @ NORTH_UP @ (0, 0))
    seen, valid = seen[:, y : y + 120, x : x + 150], valid[y : y + 120, x : x + 150]
    assert valid[3:-3, :-4].all()
    difference = np.abs(seen.astype(int) - pixels)[:, valid]
    assert np.percentile(difference, 99) <= 4
    assert any("another coordinate system" in event.text for event in reporter.events if isinstance(event, Message))


@pytest.mark.parametrize("factor", [2, 0.5])
def test_image_of_another_resolution_is_resampled(tmp_path, card, factor):
    pixels = smooth(120, 160)
    left = cut(tmp_path, pixels, [(0, 0, 80, 120)])
    part = pixels[:, :, 80:]
    part = part[:, ::2, ::2] if factor == 2 else part.repeat(2, axis=1).repeat(2, axis=2)
    place = NORTH_UP @ Affine.translation(80, 0) @ Affine.scale(factor)
    seen, valid, spec = look([*left, write_raster(tmp_path / "right.tif", part, transform=place)], card)
    assert (spec.grid.width, spec.grid.height) == (160, 120)
    assert valid.all()
    np.testing.assert_array_equal(seen[:, :, :80], pixels[:, :, :80])
    assert np.abs(seen.astype(int) - pixels).max() <= (12 if factor == 2 else 1)


def test_image_between_the_pixels_is_resampled(tmp_path, card):
    pixels = smooth(120, 160)
    left = cut(tmp_path, pixels, [(0, 0, 80, 120)])
    right = write_raster(tmp_path / "r.tif", pixels[:, :, 80:], transform=NORTH_UP @ Affine.translation(80.4, 0))
    seen, valid, spec = look([*left, right], card)
    assert spec.images[1].placement.resampling == "bilinear"
    assert valid[:, :160].all()
    assert np.abs(seen[:, :, 90:150].astype(int) - pixels[:, :, 90:150]).max() <= 5


def test_much_finer_image_is_averaged_and_not_sampled(tmp_path, card):
    coarse = noise(40, 60) // 2 + 64
    change = np.kron(np.ones((40, 60), int), np.array([[50, -50, 50, -50]] * 2 + [[-50, 50, -50, 50]] * 2))
    fine = (coarse.repeat(4, axis=1).repeat(4, axis=2) + change).astype(np.uint8)
    place = NORTH_UP @ Affine.translation(60, 0) @ Affine.scale(0.25)
    paths = [write_raster(tmp_path / "a.tif", coarse), write_raster(tmp_path / "fine.tif", fine, transform=place)]
    seen, valid, spec = look(paths, card)
    assert spec.images[1].placement.resampling == "average"
    assert valid.all()
    assert np.abs(seen[:, :, 60:].astype(int) - coarse).max() <= 1


def test_colors_of_a_palette_are_not_interpolated(tmp_path, stretched):
    colors = dict.fromkeys(range(256), (99, 99, 99, 255)) | {0: (10, 20, 30, 255), 200: (250, 240, 230, 255)}
    values = np.where(noise(40, 60)[:1] > 128, 200, 0).astype(np.uint8)
    place = NORTH_UP @ Affine.translation(60.4, 0)
    paths = [
        write_raster(tmp_path / "gray.tif", values),
        write_raster(tmp_path / "palette.tif", values, colormap=colors, transform=place),
    ]
    seen, valid, spec = look(paths, stretched)
    assert spec.images[1].placement.resampling is not None
    inside = seen[:, :, 62:118]
    assert valid[:, 62:118].all()
    assert set(np.unique(inside[0])) == {10, 250}
    assert set(np.unique(inside[2])) == {30, 230}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_corners_of_a_rotated_image_let_the_next_through(tmp_path, card, stretched, dtype):
    """It has no nodata value, and does not fill the box around it."""
    model = card if dtype == "uint8" else stretched
    tilted = NORTH_UP @ Affine.translation(100, 20) @ Affine.rotation(-20)
    under = NORTH_UP @ Affine.translation(60, -40)
    paths = [
        write_raster(tmp_path / "a.tif", np.full((3, 120, 90), 50, dtype)),
        write_raster(tmp_path / "tilted.tif", np.full((3, 60, 80), 200, dtype), transform=tilted),
        write_raster(tmp_path / "b.tif", np.full((3, 200, 260), 100, dtype), transform=under),
    ]
    seen, valid, spec = look(paths[:2], model)
    left, top, right, bottom = spec.images[1].placement.window
    shown = valid[top:bottom, left:right]
    assert 0.4 < shown.mean() < 0.9
    assert not shown[0, -1]
    assert not shown[-1, 0]
    assert (seen[:, ~valid] == 0).all()
    seen, valid, spec = look(paths, model)
    left, top, right, bottom = spec.images[1].placement.window
    assert valid[top:bottom, left:right].all()
    if dtype == "uint8":
        np.testing.assert_array_equal(seen[0, top:bottom, left:right], np.where(shown, 200, 100))


def test_overviews_are_read_for_coarse_pixels(tmp_path, card):
    pixels = smooth(256, 512)
    paths = cut(tmp_path, pixels, [(0, 0, 256, 256), (256, 0, 512, 256)], overviews=[2, 4])
    seen, valid, spec = look(paths, card, 4.0)
    assert [image.placement.overview for image in spec.images] == [1, 1]
    assert (spec.lattice.width, spec.lattice.height) == (128, 64)
    assert valid.all()
    stored = []
    for path in paths:
        with rasterio.open(path, OVERVIEW_LEVEL=1) as dataset:
            stored.append(dataset.read())
    np.testing.assert_array_equal(seen, np.concatenate(stored, axis=2))


def test_all_pixels_are_read_where_an_image_has_no_overviews(tmp_path, card):
    pixels = smooth(256, 512)
    boxes = [(0, 0, 256, 256), (256, 0, 512, 256)]
    paths = cut(tmp_path, pixels, boxes[:1], overviews=[2, 4])
    place = NORTH_UP @ Affine.translation(256, 0)
    paths.append(write_raster(tmp_path / "plain.tif", pixels[:, :, 256:], transform=place))
    seen, valid, spec = look(paths, card, 4.0)
    assert [image.placement.overview for image in spec.images] == [None, None]
    assert (spec.lattice.width, spec.lattice.height) == (512, 256)
    assert valid.all()
    means = pixels.reshape(3, 64, 4, 128, 4).mean(axis=(2, 4))
    assert np.abs(seen - means).max() <= 1


def test_each_image_has_a_stretch_of_its_own(tmp_path, stretched):
    pixels, place = noise(60, 120).astype(np.uint16), NORTH_UP @ Affine.translation(60, 0)
    paths = [
        write_raster(tmp_path / "bright.tif", pixels[:, :, :60] * 100 + 5000),
        write_raster(tmp_path / "dark.tif", pixels[:, :, 60:] * 2 + 100, transform=place),
    ]
    seen, valid, spec = look(paths, stretched)
    assert valid.all()
    assert spec.images[0].stretch != spec.images[1].stretch
    assert np.abs(seen.astype(int) - pixels).max() < 12  # both are stretched to nearly the original values


def test_gray_palette_and_float_images_join(tmp_path, stretched):
    colors = {value: (value, 255 - value, 7, 255) for value in range(256)}
    values = noise(40, 120)[:1]
    place = [NORTH_UP @ Affine.translation(x, 0) for x in (0, 40, 80)]
    floats = values[:, :, 80:].astype(np.float32)
    floats[0, :5] = np.nan
    paths = [
        write_raster(tmp_path / "gray.tif", values[:, :, :40]),
        write_raster(tmp_path / "palette.tif", values[:, :, 40:80], colormap=colors, transform=place[1]),
        write_raster(tmp_path / "float.tif", floats, transform=place[2]),
    ]
    seen, valid, _ = look(paths, stretched)
    np.testing.assert_array_equal(seen[:, :, :40], values[:, :, :40].repeat(3, axis=0))
    np.testing.assert_array_equal(seen[0, :, 40:80], values[0, :, 40:80])
    np.testing.assert_array_equal(seen[1, :, 40:80], 255 - values[0, :, 40:80])
    assert valid[:, :80].all()
    assert not valid[:5, 80:].any()
    assert valid[5:, 80:].all()


@pytest.mark.parametrize("boxes", [[(0, 0, 150, 120)], OVERLAPPING])
def test_another_process_opens_the_same_view_from_its_description(tmp_path, stretched, boxes):
    paths = cut(tmp_path, noise(120, 150).astype(np.uint16) * 40, boxes)
    seen, valid, spec = look(paths, stretched, 1.7)
    with open_view(copy.deepcopy(spec)) as view:  # copied as a pickle is: by what its class gives
        again, valid_again = read(view)
        assert view.spec == spec
    np.testing.assert_array_equal(again, seen)
    np.testing.assert_array_equal(valid_again, valid)


def test_few_files_are_open_at_a_time(tmp_path, card, monkeypatch):
    monkeypatch.setattr(mosaic, "MAX_OPEN", 3)
    pixels = noise(40, 400)
    paths = cut(tmp_path, pixels, [(x, 0, x + 10, 40) for x in range(0, 400, 10)])
    before = count_open_files()
    with ExitStack() as stack:
        imagery = stack.enter_context(open_imagery(paths, ImageOptions(), RunContext()))
        view = imagery.make_view(imagery.make_grid(1.0), None, 1.0, card, stack)
        np.testing.assert_array_equal(read(view)[0], pixels)
        assert count_open_files() <= before + 3
        np.testing.assert_array_equal(read(view, (0, 0, 25, 40))[0], pixels[:, :, :25])
    assert count_open_files() <= before


def test_changed_image_is_noticed_when_it_is_opened_and_when_it_was_read(tmp_path, card):
    paths = cut(tmp_path, noise(40, 100), [(0, 0, 50, 40), (50, 0, 100, 40)])
    with ExitStack() as stack:
        imagery = stack.enter_context(open_imagery(paths, ImageOptions(), RunContext()))
        view = imagery.make_view(imagery.make_grid(1.0), None, 1.0, card, stack)
        read(view, (0, 0, 40, 40))
        os.utime(paths[1], ns=(1, 1))
        view.check_unchanged()  # it was not read yet
        with pytest.raises(SourceChangedError, match=r"cut1\.tif"):
            read(view)
        os.utime(paths[0], ns=(1, 1))
        with pytest.raises(SourceChangedError, match=r"cut0\.tif"):
            view.check_unchanged()


def test_missing_damaged_and_unfitting_images_are_refused_by_name(tmp_path, card):
    pixels = noise(300, 300)
    good = write_raster(tmp_path / "good.tif", pixels)
    damaged = write_raster(tmp_path / "damaged.tif", noise(300, 300, 2))
    damaged.write_bytes(damaged.read_bytes()[:-60_000])
    bare = write_raster(tmp_path / "bare.tif", pixels, crs=None, transform=Affine.identity())
    metres = write_raster(tmp_path / "metres.tif", pixels, crs=None)
    text = tmp_path / "text.tif"
    text.write_text("no image")
    for path in (tmp_path / "missing.tif", damaged, bare, metres, text):
        with pytest.raises(SourceError, match=path.name):
            look([good, path], card)
    far = write_raster(tmp_path / "far.tif", pixels, transform=NORTH_UP @ Affine.translation(3e7, 0))
    with pytest.raises((ParameterError, SourceError), match=r"far\.tif|far apart"):
        look([good, far], card)


def test_all_damaged_images_are_named_at_once_up_to_a_limit(tmp_path, card):
    pixels = noise(30, 30)
    names = [f"i{number}.tif" for number in range(12)]
    paths = [write_raster(tmp_path / name, pixels) for name in names]
    for index in (0, 7):
        paths[index].write_text("no image")
    with pytest.raises(SourceError, match=r"2 images cannot be parts of the mosaic") as caught:
        look(paths, card)
    assert [name for name in names if name in caught.value.text] == ["i0.tif", "i7.tif"]
    assert "--separate" in caught.value.hint
    for path in paths:
        path.write_text("no image")
    with pytest.raises(SourceError, match=r"5 or more images") as caught:
        look(paths, card)
    assert [name for name in names if name in caught.value.text] == names[:5]


def test_what_was_decided_is_reported_and_remarks_are_grouped(tmp_path, card):
    pixels = np.concatenate([noise(40, 60), noise(40, 60, 2)[:2]])
    paths = [write_raster(tmp_path / f"{name}.tif", pixels) for name in "abcd"]
    reporter = RecordingReporter()
    _, _, spec = look(paths, card, context=RunContext(reporter))
    texts = [event.text for event in reporter.events if isinstance(event, Message)]
    assert any("4 images form one mosaic" in text and "a.tif" in text and "EPSG:32618" in text for text in texts)
    assert [text for text in texts if "5 bands" in text and "4 images are like that" in text]
    assert spec.name == "the mosaic of 4 images"
    assert spec.title == "a.tif, b.tif, c.tif and 1 more"
    assert rasterio.open(paths[0]).count == 5
