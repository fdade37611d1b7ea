"""Every runtime gives the right probabilities for any number of tiles, in arrays that stay what they are."""

import gc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from terraspore.engine.errors import InferenceError, RuntimeUnavailableError
from terraspore.engine.models.registry import find_model
from terraspore.engine.runtimes.base import SessionConfig
from terraspore.engine.runtimes.onnxruntime import OnnxRuntime
from terraspore.engine.runtimes.registry import create_runtimes

#: Registered runtimes that run graphs on the processor here. MindSpore Lite refuses these small ones, and has tests of
#: its own.
RUNTIMES = [
    runtime
    for runtime in create_runtimes().values()
    if runtime.graph_process is not None
    and runtime.name != "mindspore-lite"
    and any(info.device == "cpu" and not info.reason for info in runtime.devices())
]


@pytest.fixture(scope="module", params=RUNTIMES, ids=lambda runtime: runtime.name)
def runtime(request):
    return request.param


@pytest.fixture(scope="module")
def opened(runtime, identity):
    """A session that all tests use one after the other."""
    session = runtime.open(identity, SessionConfig("cpu", 64, "float32", threads=2))
    yield session
    session.close()


def tiles(count, tile=64, bands=3):
    return np.random.default_rng(count).integers(0, 251, (count, bands, tile, tile), np.uint8)


def test_a_subclass_of_a_runtime_is_a_runtime(runtime, identity):
    own = type("Own", (type(runtime),), {"name": "own", "title": "Own"})()
    with own.open(identity, SessionConfig("cpu", 64, "float32", threads=2)) as session:
        assert session.runtime == "own"
    assert {info.runtime for info in own.devices()} == {"own"}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_of_tiles_is_computed(opened, count):
    given = tiles(count)
    result = opened.predict(given)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, given / 250, atol=1e-6)


def test_a_result_is_the_callers_own(opened):
    first = opened.predict(tiles(2))
    kept = first.copy()
    given = tiles(3)
    before = given.copy()
    opened.predict(given)
    gc.collect()
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(given, before)


def test_batches_come_back_in_order_and_none_keeps_its_place(opened):
    given = [None, tiles(2), tiles(1), None, None, tiles(5), *(tiles(3) for _ in range(6)), None]
    results = list(opened.predict_stream(iter(given)))
    assert [result is None for result in results] == [batch is None for batch in given]
    for batch, result in zip(given, results, strict=True):
        if batch is not None:
            np.testing.assert_allclose(result, batch / 250, atol=1e-6)


def test_batches_may_end_early(opened):
    taken = []

    def endless():
        while True:
            taken.append(tiles(2))
            yield taken[-1]

    results = opened.predict_stream(endless())
    np.testing.assert_allclose(next(results), taken[0] / 250, atol=1e-6)
    results.close()
    assert len(taken) <= 3  # few are taken ahead
    np.testing.assert_allclose(opened.predict(tiles(3)), tiles(3) / 250, atol=1e-6)


def test_an_error_while_the_batches_are_made_is_raised(opened):
    def broken():
        yield tiles(2)
        raise KeyError("broken")

    with pytest.raises(KeyError):
        list(opened.predict_stream(broken()))


def test_a_session_says_what_it_is(opened, runtime):
    assert (opened.runtime, opened.device, opened.precision) == (runtime.name, "cpu", "float32")
    assert opened.batch >= 1


def test_tiles_need_not_lie_in_one_piece(opened):
    given = tiles(2, 128)[:, ::-1, ::2, 64:]
    np.testing.assert_allclose(opened.predict(given), given / 250, atol=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        np.zeros((1, 3, 64, 32), np.uint8),
        np.zeros((1, 2, 64, 64), np.uint8),
        np.zeros((1, 3, 64, 64), np.float32),
        np.zeros((0, 3, 64, 64), np.uint8),
        np.zeros((3, 64, 64), np.uint8),
    ],
)
def test_other_tiles_are_refused(opened, given):
    with pytest.raises(InferenceError, match="session for tiles"):
        opened.predict(given)


def test_a_network_of_a_fixed_batch_takes_any_number(runtime, tmp_path):
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["x"], ["most"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["x", "most"], ["y"]),
        ],
        "fixed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 32, 32])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {"resolution": "100"})
    onnx.save(model, tmp_path / "fixed.onnx")
    session = runtime.open(find_model(str(tmp_path / "fixed.onnx"), []), SessionConfig("cpu", 32, "float32"))
    # Each tile on its own is its own maximum: the difference is 0, and the shares of three classes are equal.
    np.testing.assert_allclose(session.predict(tiles(3, 32)), 1 / 3, atol=1e-6)
    session.close()


def test_a_graph_that_cannot_run_is_one_sentence(runtime, tmp_path):
    weights = numpy_helper.from_array(np.ones((2, 5, 1, 1), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "wrong",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2, "h", "w"])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "wrong.onnx")
    with pytest.raises((RuntimeUnavailableError, InferenceError)) as caught:
        runtime.open(find_model(str(tmp_path / "wrong.onnx"), []), SessionConfig("cpu", 32, "float32"))
    assert "\n" not in caught.value.text


@pytest.mark.parametrize("device", ["cuda", "tensorrt", "ascend", "gpu", "nowhere", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(runtime, identity, device):
    with pytest.raises(RuntimeUnavailableError):
        runtime.open(identity, SessionConfig(device, 64))


def test_onnx_runtime_refuses_a_precision_that_it_does_not_have(identity):
    with pytest.raises(RuntimeUnavailableError, match="does not compute in bfloat16"):
        OnnxRuntime().open(identity, SessionConfig("cpu", 64, "bfloat16"))
