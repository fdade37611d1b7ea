"""Models of other people: several outputs, activations given twice, class ids, and a model that nobody named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import rasterio
from model_files import make_graph, write_model
from onnx import TensorProto, helper, numpy_helper
from raster_files import write_raster
from reports.situation import Outcome, Situation, each, run_situation

CPU = ("--device", "cpu", "--runtime", "onnxruntime", "--threads", "1")


def _image(folder: Path) -> Path:
    """A dark image with a bright stripe of nine pixels."""
    pixels = np.full((3, 64, 64), 20, np.uint8)
    pixels[:, 20:29] = 230
    return write_raster(folder / "image.tif", pixels)


def _graph(last: str | None = None, head: bool = False) -> onnx.GraphProto:
    """A graph of logits that are positive on bright pixels; ``last`` follows it, an auxiliary ``head`` comes first."""
    weights = numpy_helper.from_array(np.array([20, 0, 0], np.float32).reshape(1, 3, 1, 1), "weights")
    bias = numpy_helper.from_array(np.array([-10], np.float32), "bias")
    nodes = [helper.make_node("Conv", ["image", "weights", "bias"], ["logits" if last else "scores"])]
    if last:
        nodes.append(helper.make_node(last, ["logits"], ["scores"]))
    graph = make_graph(nodes, 3, [bias, weights])
    if head:
        graph.node.append(helper.make_node("Neg", ["scores"], ["auxiliary"]))
        info = helper.make_tensor_value_info("auxiliary", TensorProto.FLOAT, ["n", 1, "h", "w"])
        outputs = [info, *graph.output]
        del graph.output[:]
        graph.output.extend(outputs)
    return graph


def _sigmoid_of_parts() -> onnx.GraphProto:
    """Scores between 0 and 1, by 1 / (1 + exp(-x)) instead of an operator of that name."""
    graph = _graph()
    graph.node[0].output[0] = "logits"
    graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "one"))
    steps = (("Neg", ["logits"], "minus"), ("Exp", ["minus"], "power"), ("Add", ["power", "one"], "sum"))
    graph.node.extend(helper.make_node(kind, inputs, [output]) for kind, inputs, output in steps)
    graph.node.append(helper.make_node("Reciprocal", ["sum"], ["scores"]))
    return graph


def _model(folder: Path, graph: onnx.GraphProto, **card: object) -> Path:
    (folder / "model").mkdir()
    return write_model(folder / "model", graph, 3, 1, **card)


def _segment(folder: Path, graph: onnx.GraphProto, **card: object) -> tuple[object, ...]:
    model = _model(folder, graph, **card)
    return ("segment", _image(folder), "--model", model, "-o", folder / "classes.tif", *CPU)


def _install(folder: Path, graph: onnx.GraphProto, *options: object) -> tuple[object, ...]:
    weights = folder / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), weights)
    return ("install", weights, "--to", folder / "mine", "--tile", "64", "--device", "cpu", *options)


def _finds_the_stripe(outcome: Outcome) -> bool:
    with rasterio.open(outcome.folder / "classes.tif") as dataset:
        classes = dataset.read(1)
    return bool((classes[20:29] == 1).all() and classes.sum() == 9 * 64)


def _class_ids(folder: Path) -> tuple[object, ...]:
    graph = _graph()
    graph.node[0].output[0] = "logits"
    graph.node.append(helper.make_node("ArgMax", ["logits"], ["scores"], axis=1, keepdims=1))
    graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return _segment(folder, graph, activation="sigmoid")


def _values_that_are_not_numbers(folder: Path) -> tuple[object, ...]:
    """The square root of a negative number, only where the image is bright: the trial runs are well."""
    graph = _graph()
    graph.node[0].output[0] = "logits"
    graph.node.append(helper.make_node("Neg", ["logits"], ["negative"]))
    graph.node.append(helper.make_node("Sqrt", ["negative"], ["scores"]))
    return _segment(folder, graph, activation="sigmoid")


def _opset_999(folder: Path) -> tuple[object, ...]:
    arguments = _install(folder, _graph())
    model = onnx.load(folder / "net.onnx")
    model.opset_import[0].version = 999
    onnx.save(model, folder / "net.onnx")
    return arguments


def _a_hundred_thousand_nodes(folder: Path) -> tuple[object, ...]:
    graph = _graph()
    graph.node[0].output[0] = "x0"
    names = [*(f"x{index}" for index in range(100_000)), "scores"]
    graph.node.extend(helper.make_node("Relu", names[i : i + 1], names[i + 1 : i + 2]) for i in range(100_000))
    return _install(folder, graph)


SITUATIONS = (
    Situation(
        "a network whose first output is an auxiliary head",
        make=lambda folder: _segment(folder, _graph(head=True), activation="sigmoid"),
        code=2,
        says=("2 outputs: auxiliary, scores", "--output-name", "output"),
        check=lambda outcome: not (outcome.folder / "classes.tif").exists(),
    ),
    Situation(
        "a network with two outputs whose card names the right one",
        make=lambda folder: _segment(folder, _graph(head=True), activation="sigmoid", options={"output": "scores"}),
        check=_finds_the_stripe,
    ),
    Situation(
        "a network with two outputs is installed without naming one",
        make=lambda folder: _install(folder, _graph(head=True)),
        code=2,
        says=("auxiliary, scores", "--output-name"),
        check=lambda outcome: not (outcome.folder / "mine").exists(),
    ),
    Situation(
        "a network with two outputs is installed with the name of one",
        make=lambda folder: _install(folder, _graph(head=True), "--output-name", "scores"),
    ),
    Situation(
        "a model with a card is installed with options that its card says already",
        make=lambda folder: (
            *("install", _model(folder, _graph()), "--to", folder / "mine", "--activation", "sigmoid"),
            *("--device", "cpu"),
        ),
        code=2,
        says=("has a card", "Leave them out"),
        check=lambda outcome: not (outcome.folder / "mine").exists(),
    ),
    Situation(
        "an output is named that the network does not have",
        make=lambda folder: _install(folder, _graph(), "--output-name", "logits"),
        code=2,
        says=("no output 'logits'", "scores"),
    ),
    Situation(
        "a sigmoid in the network and --activation sigmoid",
        make=lambda folder: _install(folder, _graph("Sigmoid"), "--activation", "sigmoid"),
        code=2,
        says=("ends with Sigmoid", "--activation none"),
    ),
    Situation(
        "a sigmoid in the network and sigmoid in its card",
        make=lambda folder: _segment(folder, _graph("Sigmoid"), activation="sigmoid"),
        code=2,
        says=("ends with Sigmoid", "activation"),
    ),
    Situation(
        "a sigmoid that the network makes of other operators, and sigmoid in its card",
        make=lambda folder: _segment(folder, _sigmoid_of_parts(), activation="sigmoid"),
        check=lambda outcome: "the lowest probability is 0.5" in outcome.warnings[0],
    ),
    Situation(
        "a sigmoid in the network, and a weights file without a card",
        make=lambda folder: (
            *("segment", _image(folder), "--model", _model(folder, _graph("Sigmoid")) / "net.onnx"),
            *("--resolution", "1", "--tile", "64", "-o", folder / "classes.tif", *CPU),
        ),
    ),
    Situation(
        "a network that gives class ids instead of scores",
        make=_class_ids,
        code=2,
        says=("whole numbers", "scores"),
    ),
    Situation(
        "a network that gives values that are not numbers on some tiles",
        make=_values_that_are_not_numbers,
        code=2,
        says="not numbers",
        check=lambda outcome: not (outcome.folder / "classes.tif").exists(),
    ),
    Situation("a model of opset 999", make=_opset_999, code=2, says=("opset 999", "lower opset")),
    Situation("a model of a hundred thousand nodes", make=_a_hundred_thousand_nodes, code=2, says="at most 20000"),
    Situation(
        "segment without --model",
        make=lambda folder: ("segment", _image(folder), "--tile", "64", "-o", folder / "classes.tif", *CPU),
        says=("no --model is given", "is used, a model for"),
    ),
    Situation(
        "the choice of the runtime is said once",
        make=lambda folder: _segment(folder, _graph(), activation="sigmoid"),
        check=lambda outcome: outcome.sentences.count("as asked for") == 1 and _finds_the_stripe(outcome),
    ),
)


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
