"""Every network through every command, on chips that the tests cut: train, evaluate, visualise, convert, export.

Steps and predictions are not compiled here, which takes most of the time of a few small steps; compiled ones are
tested with smaller networks.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from command_line import run_well
from free_port import find_free_port
from PIL import Image
from terraspore.engine.models.checkpoint import read_checkpoint
from terraspore.engine.models.registry import read_model
from terraspore.engine.protocol.options import RuntimeOptions
from terraspore.engine.runtimes.registry import open_session

pytest.importorskip("mindspore")

pytestmark = pytest.mark.mindspore

MSRUN = Path(sys.executable).with_name("msrun")
COMMANDS = Path(__file__).with_name("distributed_commands.py")
CHIP = 64
EAST, NORTH = 500000, 5500000
#: network -> recipe that it is trained by; D-LinkNet is for roads, the others for three classes
RECIPES = {
    "dlinknet34": "dlinknet34_deepglobe",
    "lednet": "lednet_vaihingen",
    "linknet": "linknet_camvid",
    "dgcnet50": "dgcnet50_cityscapes",
    "deeplabv3_resnet50": "deeplabv3_voc2012_os16",
}
DEEP = ("dgcnet50", "deeplabv3_resnet50")


def write_town(folder: Path) -> tuple[Path, Path, Path]:
    """A raster of three sorts of ground with a bright road across, its roads and its land cover."""
    height, width = 2 * CHIP, 8 * CHIP
    rng = np.random.default_rng(0)
    transform = Affine(1, 0, EAST, 0, -1, NORTH)
    ground = np.repeat(np.arange(width) // 32 % 3, height).reshape(width, height).T
    pixels = np.array([[40, 90, 40], [120, 110, 90], [60, 60, 140]])[ground].transpose(2, 0, 1)
    pixels = pixels + rng.integers(-15, 15, pixels.shape)
    pixels[:, 60:67] = 220
    image = folder / "town.tif"
    profile = {"driver": "GTiff", "count": 3, "width": width, "height": height, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(image, "w", transform=transform, **profile) as target:
        target.write(pixels.astype(np.uint8))

    roads, cover = folder / "roads.gpkg", folder / "cover.gpkg"
    write_layer(roads, [shapely.LineString([(EAST, NORTH - 63.5), (EAST + width, NORTH - 63.5)])], "LineString")
    starts = range(0, width, 32)
    stripes = [shapely.box(EAST + x, NORTH - height, EAST + x + 32, NORTH) for x in starts]
    write_layer(cover, stripes, "Polygon", kind=[("grass", "earth", "water")[x // 32 % 3] for x in starts])
    return image, roads, cover


def write_layer(path: Path, shapes: list, geometry_type: str, **fields: list) -> None:
    columns = [np.array(values, object) for values in fields.values()]
    pyogrio.raw.write(
        path,
        shapely.to_wkb(shapes),
        columns,
        list(fields),
        geometry_type=geometry_type,
        crs="EPSG:32633",
        driver="GPKG",
    )


@pytest.fixture(scope="module")
def chips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Chips of roads and of land cover."""
    folder = tmp_path_factory.mktemp("town")
    image, roads, cover = write_town(folder)
    arguments = {
        "roads": [roads, "--width", 7],
        "cover": [cover, "--field", "kind", "--classes", "grass,earth,water"],
    }
    for name, given in arguments.items():
        result = run_well("chips", image, *given, "--size", CHIP, "--out", folder / name)
        assert result["summary"]["train"] == 12, result
        assert result["summary"]["valid"] == 2
    return {name: folder / name for name in arguments}


def overrides(network: str, chips: dict[str, Path]) -> list[str]:
    """Overrides that turn a recipe for another data set into two steps on the chips."""
    roads = network == "dlinknet34"
    classes, kind = (["road"], "roads") if roads else (["grass", "earth", "water"], "cover")
    return [
        RECIPES[network],
        f"network={{name: {network}, num_classes: {len(classes)}}}",
        f"data={{layout: chips, root: '{chips[kind]}', train: train, val: valid, test: valid, ignore: 255}}",
        f"data.classes=[{', '.join(classes)}]",
        "data.colours=[]",
        "data.label_map={0: 0, 1: 1, 2: 2}",
        f"augment.crop={CHIP}",
        "loss.weights=none",
        "loss.ohem_keep=500",
        "resolution=1",
        "init={checkpoint: '', encoder: '', partial: false, freeze: []}",
        "train={epochs: 1, batch: 2, steps: 2, evaluate_every: 0, compile: false, amp: O0, loss_scale: none}",
        "optimizer.accumulate=1",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("network", RECIPES)
def test_every_command(network: str, chips: dict[str, Path], in_tmp: Path, request: pytest.FixtureRequest) -> None:
    out = in_tmp / "run"
    result = run_well("train", *overrides(network, chips), "--out", out)
    assert result["summary"]["steps"] == 2
    config, best = out / "config.yaml", out / "best.ckpt"

    result = run_well("evaluate", config, "--checkpoint", best, "--out", in_tmp / "scores", "--save-predictions")
    report = json.loads((in_tmp / "scores" / "metrics.json").read_text())
    assert (report["images"], result["summary"]["images"]) == (2, 2)
    confusion = np.loadtxt(in_tmp / "scores" / "confusion.csv", delimiter=",", skiprows=1, usecols=(1, 2))
    assert confusion.shape[0] == (2 if network == "dlinknet34" else 3)
    assert sum(row["pixels"] for row in report["classes"]) == 2 * CHIP * CHIP
    predicted = sorted((in_tmp / "scores" / "predictions").iterdir())

    assert run_well("visualise", config, "--checkpoint", best, "--out", in_tmp / "seen")["summary"]["images"] == 2
    assert Image.open(in_tmp / "seen" / predicted[0].name).size == (CHIP, CHIP)

    converted = run_well("convert", best, in_tmp / "same.ckpt", "--arch", network)
    assert converted["summary"]["missing"] == 0
    before, after = read_checkpoint(best), read_checkpoint(in_tmp / "same.ckpt")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)

    # MINDIR is compiled, which takes long for a deep ResNet.
    whole = network not in DEEP or request.config.getoption("--every-network")
    formats = [] if whole else ["--format", "onnx"]
    result = run_well("export", out, "--out", in_tmp / "model", "--tile", CHIP, *formats)
    written = {"weights.ckpt", "model.onnx"} | ({"model.mindir"} if whole else set())
    assert {name.removeprefix("difference ") for name in result["summary"]} == written
    # The engine sees in a chip what MindSpore saw in it.
    chip = next(
        (chips["roads" if network == "dlinknet34" else "cover"] / "valid" / "images").glob(predicted[0].stem + ".tif")
    )
    with rasterio.open(chip) as source:
        tile = source.read()
    model = read_model(in_tmp / "model")
    session, _ = open_session(model, CHIP, RuntimeOptions("cpu", "onnxruntime"))
    probability = session.predict(tile[None])[0]
    session.close()
    seen = probability[0] >= 0.5 if network == "dlinknet34" else probability.argmax(0)
    assert (np.asarray(Image.open(predicted[0])) == seen).mean() > 0.995


@pytest.mark.slow
@pytest.mark.skipif(not MSRUN.exists(), reason="msrun comes with MindSpore")
@pytest.mark.parametrize("network", RECIPES)
def test_two_processes_train_and_evaluate(
    network: str, chips: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if network not in ("linknet", "dlinknet34") and not request.config.getoption("--every-network"):
        pytest.skip("only with --every-network")
    launch = [MSRUN, "--worker_num=2", "--local_worker_num=2", f"--master_port={find_free_port()}", "--join=True"]
    launch += [f"--log_dir={tmp_path / 'logs'}", "--cluster_time_out=600", COMMANDS, tmp_path]
    # The split that is evaluated has two chips: one for each process.
    arguments = [*overrides(network, chips), "train.distributed=true"]
    path = os.pathsep.join([str(MSRUN.parent), os.environ.get("PATH", "")])
    env = {**os.environ, "GLOG_v": "3", "OMP_NUM_THREADS": "1", "PATH": path}
    done = subprocess.run(
        [str(word) for word in (*launch, *arguments)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    logs = "".join(path.read_text(errors="replace")[-2000:] for path in tmp_path.glob("logs/worker_*.log"))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:] + logs
    first, second = (json.loads((tmp_path / f"rank_{rank}.json").read_text()) for rank in (0, 1))
    assert first["train"]["steps"] == second["train"]["steps"] == 2
    assert first["train"]["best"] == second["train"]["best"] is not None
    assert first["evaluate"] == second["evaluate"]
    # Both chips were counted, in one confusion matrix.
    lines = (tmp_path / "scores" / "confusion.csv").read_text().splitlines()[1:]
    assert sum(int(number) for line in lines for number in line.split(",")[1:]) == 2 * CHIP * CHIP
