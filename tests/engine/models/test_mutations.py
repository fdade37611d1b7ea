"""A checkpoint with any one byte changed, cut or doubled is refused, or gives exactly the weights that it holds.

A flipped bit of a weight cannot be told from another weight, unless the file carries its CRC or a card its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from terraspore.engine.errors import CardError, CheckpointError, ModelError
from terraspore.engine.models.card import Normalisation, write_card
from terraspore.engine.models.checkpoint import read_checkpoint, write_checkpoint
from terraspore.engine.models.graph import build_graph
from terraspore.engine.models.onnx_file import load_onnx
from terraspore.engine.models.registry import Model, read_model

WEIGHTS = {
    "head.weight": np.array([[0.5, -1.25], [2.0, 0.125]], np.float32).reshape(2, 2, 1, 1),
    "head.bias": np.array([0.75, -3.0], np.float32),
}
TRAILER = 17  # "crc_num" and ten digits of a number


def graph_without_weights():
    shapes = {name: ("classes" if i == 0 else size for i, size in enumerate(w.shape)) for name, w in WEIGHTS.items()}
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 2, "h", "w"])]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", "classes", "h", "w"])]
    nodes = [helper.make_node("Conv", ["image", *WEIGHTS], ["logits"])]
    model = helper.make_model(helper.make_graph(nodes, "one", inputs, outputs), ir_version=8)
    model.opset_import[0].version = 17
    helper.set_model_props(model, {"architecture": "one", "options": "{}", "multiple": "1"})
    return model


@pytest.fixture
def model(tmp_path, card):
    """A model whose checkpoint is the file ``x.ckpt``, and whose graph lies in the folder of its own."""
    (tmp_path / "graphs").mkdir()
    onnx.save(graph_without_weights(), tmp_path / "graphs" / "one.onnx")
    write_checkpoint(tmp_path / "x.ckpt", WEIGHTS)
    mine = replace(
        card, architecture="one", bands=2, normalisation=Normalisation(1.0, (0.0,) * 2, (1.0,) * 2), multiple=1
    )
    return Model(mine, tmp_path / "x.ckpt", "")


def changed(data):
    """Every byte with each of its bits flipped, set to 0 and to 255, and moved by one."""
    for place, byte in enumerate(data):
        values = {byte ^ (1 << bit) for bit in range(8)} | {0, 255, (byte + 1) % 256, (byte - 1) % 256}
        for value in sorted(values - {byte}):
            yield place, data[:place] + bytes([value]) + data[place + 1 :]


def cut_or_doubled(data):
    """Every byte left out, every byte twice, and the file cut off at every byte."""
    for place in range(len(data)):
        yield place, data[:place] + data[place + 1 :]
        yield place, data[: place + 1] + data[place:]
        yield place, data[:place]


def weights_of(model):
    """The weights that a runtime would get."""
    graph = build_graph(model, graphs=model.weights.parent / "graphs").graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


@pytest.mark.parametrize("with_crc", [False, True])
def test_every_byte_of_a_checkpoint(model, with_crc):
    whole = model.weights.read_bytes()
    data = whole if with_crc else whole[:-TRAILER]
    contents = {name: data.index(values.tobytes()) for name, values in WEIGHTS.items()}
    inside = {begin + i for name, begin in contents.items() for i in range(WEIGHTS[name].nbytes)}
    refused, taken = 0, 0
    for kind in (changed, cut_or_doubled):
        for place, mutant in kind(data):
            if mutant == data:
                continue
            model.weights.write_bytes(mutant)
            try:
                tensors = read_checkpoint(model.weights)
                found = weights_of(model) if set(tensors) != set(WEIGHTS) or place % 7 == 0 else tensors
            except CheckpointError as error:
                assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)
                refused += 1
                continue
            # What was taken is what the file holds, byte by byte: nothing made up, nothing left out.
            taken += 1
            assert kind is changed or (with_crc and len(mutant) == len(whole) - TRAILER), place
            assert place in inside or mutant == whole[:-TRAILER], place
            for name, begin in contents.items():
                held = np.frombuffer(mutant[begin : begin + WEIGHTS[name].nbytes], "<f4").reshape(WEIGHTS[name].shape)
                assert np.isfinite(held).all()
                np.testing.assert_array_equal(found[name], held)
    assert refused > 5 * len(data)
    assert (taken <= 1) if with_crc else (taken > 5 * len(inside))


def test_a_card_refuses_every_changed_byte(model, tmp_path):
    """Samples, as each needs the file's SHA-256; a hash makes no difference between bytes."""
    folder = tmp_path / "model"
    folder.mkdir()
    data = model.weights.read_bytes()[:-TRAILER]
    (folder / "x.ckpt").write_bytes(data)
    card = replace(model.card, weights="x.ckpt", sha256=hashlib.sha256(data).hexdigest())
    write_card(folder / "card.json", card)
    assert read_model(folder).sha256 == card.sha256
    for place in range(0, len(data), 5):
        (folder / "x.ckpt").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(CardError, match="SHA-256"):
            read_model(folder)


#: Opens what lies in the folder of its first argument, and says of each file what became of it.
CHILD = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
import numpy as np
from terraspore.engine.errors import TerraSporeError
from terraspore.engine.models import graph
from terraspore.engine.models.infer_card import ModelHints
from terraspore.engine.models.registry import find_model
from terraspore.engine.protocol.options import RuntimeOptions
from terraspore.engine.runtimes.registry import open_session
folder = Path(sys.argv[1])
graph.build_graph.__kwdefaults__["graphs"] = folder / "graphs"
hints = ModelHints(**json.loads(sys.argv[2]))
for path in sorted(folder.glob("m*")):
    try:
        model = find_model(str(path), hints=hints)
        session, _ = open_session(model, hints.tile, RuntimeOptions("cpu", sys.argv[3], threads=1))
        tiles = np.full((1, model.card.bands, hints.tile, hints.tile), 200, model.card.dtype)
        result = session.predict(tiles)
        session.close()
        print(path.name, "finite" if np.isfinite(result).all() else "not finite", flush=True)
    except TerraSporeError as error:
        assert error.exit_code in (1, 2) and "\\n" not in str(error)
        print(path.name, "refused", type(error).__name__, error, flush=True)
"""


def outcomes(folder, mutants, suffix, hints, runtime="onnxruntime"):
    """What becomes of the mutants in an engine of its own: the lines that it says, one for each."""
    for number, mutant in enumerate(mutants):
        (folder / f"m{number:04d}{suffix}").write_bytes(mutant)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), json.dumps(hints), runtime],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, (done.returncode, done.stdout.splitlines()[-1:], done.stderr[-2000:])
    lines = done.stdout.splitlines()
    assert len(lines) == len(mutants)
    return lines


def sample(data, count, seed=0):
    """``count`` mutants: bytes changed, cut, doubled, the file cut off, at random places."""
    random = np.random.default_rng(seed)
    for number in range(count):
        place = int(random.integers(len(data)))
        value = int(data[place]) ^ (1 << int(random.integers(8)))
        yield (
            data[:place] + bytes([value]) + data[place + 1 :],
            data[:place] + data[place + 1 :],
            data[: place + 1] + data[place:],
            data[:place] + bytes([value]) + data[place + 1 :],
            data[:place] + bytes([255]) + data[place + 1 :],
        )[number % 5]


def test_checkpoints_in_a_real_session(model, tmp_path):
    """Among them weights so large that results are no numbers, which ``test_results_that_are_no_numbers`` is about."""
    data = model.weights.read_bytes()[:-TRAILER]
    largest = data.replace(WEIGHTS["head.weight"].tobytes(), np.full(4, 3.4e38, np.float32).tobytes())
    hints = {"architecture": "one", "bands": 2, "tile": 8, "classes": ["a", "b"], "dtype": "float32", "scale": 1.0}
    lines = outcomes(tmp_path, [data, largest, *sample(data, 60)], ".ckpt", hints)
    assert lines[0].endswith(" finite")
    assert lines[1].endswith(" not finite")
    assert sum(line.endswith(" finite") or "refused" in line for line in lines) >= len(lines) - 5
    assert sum("refused" in line for line in lines) > 20


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_onnx_files_in_a_real_session(tmp_path, make_model, runtime):
    data = (make_model([[0.5, 0.25, 0.125]]) / "net.onnx").read_bytes()
    hints = {"bands": 3, "tile": 8, "classes": ["a"], "dtype": "uint8"}
    lines = outcomes(tmp_path, [data, *sample(data, 30, seed=1)], ".onnx", hints, runtime)
    assert lines[0].endswith(" finite"), lines[0]


def test_mindir_files_in_a_real_session(tmp_path):
    data = (Path(__file__).parents[1] / "mindir" / "data" / "small.mindir").read_bytes()
    hints = {"bands": 3, "tile": 8, "classes": ["a", "b"], "dtype": "uint8"}
    lines = outcomes(tmp_path, [data, *sample(data, 30, seed=2)], ".mindir", hints)
    assert sum("refused" in line for line in lines) > 5


def test_results_that_are_no_numbers_end_the_run(tmp_path, make_model, make_raster):
    """Weights that are finite can give results that are not; nothing is written of them."""
    model = make_model(np.full((2, 3), 3e38), task="segmentation", activation="softmax", dtype="float32", scale=1.0)
    image = make_raster(np.full((3, 40, 40), 9, np.float32), "image.tif")
    words = [
        str(image),
        f"--model={model}",
        f"--output={tmp_path / 'out.tif'}",
        "--runtime=onnxruntime",
        "--device=cpu",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "terraspore", "segment", *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode in (1, 2)
    assert "numbers" in done.stderr or "finite" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["image.tif"]


def test_a_file_is_no_model_by_its_name(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(ModelError):
        load_onnx(tmp_path / "x.onnx")


def test_the_crc_in_the_tests_is_the_files(model):
    data = model.weights.read_bytes()
    assert int.from_bytes(data[-10:], "big") == zlib.crc32(data[:-TRAILER])
