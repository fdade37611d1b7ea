"""Which ONNX files of others are accepted."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from terraspore.engine.errors import GraphError
from terraspore.engine.models.onnx_file import find_activation, load_onnx, parse_onnx


def network(weights=(1.0, 2.0), nodes=(), opsets=(("", 17),), operator="Mul"):
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"]), *nodes],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.array(weights, np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*entry) for entry in opsets], ir_version=8)


def refused(model, message):
    with pytest.raises(GraphError, match=message):
        parse_onnx(model.SerializeToString(), "here")


def test_a_plain_network_is_accepted(tmp_path):
    onnx.save(network(), tmp_path / "net.onnx")
    assert load_onnx(tmp_path / "net.onnx").graph.name == "net"


def test_external_data_is_refused_wherever_it_is_said():
    model = network()
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    refused(model, "keeps w in another file")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    refused(model, "keeps w in another file")
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(1, np.float32), "inner"))
    constant.attribute[0].t.data_location = TensorProto.EXTERNAL
    constant.attribute[0].type = onnx.AttributeProto.FLOAT  # a false type must not hide it
    refused(network(nodes=[constant]), "keeps inner in another file")


def body():
    inner = helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])
    return helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "body", [], [inner])


def test_control_flow_and_graphs_within_are_refused():
    condition = numpy_helper.from_array(np.array(True), "c")
    branch = helper.make_node("If", ["c"], ["u"], then_branch=body(), else_branch=body())
    model = network(nodes=[branch])
    model.graph.initializer.append(condition)
    refused(model, "uses If")
    hidden = helper.make_node("Relu", ["x"], ["u"])
    hidden.attribute.append(helper.make_attribute("body", body()))
    refused(network(nodes=[hidden]), "a graph within Relu")
    refused(network(operator="Loop"), "uses Loop")
    refused(network(operator="Scan"), "uses Scan")


def test_other_domains_and_functions_are_refused():
    refused(network(opsets=[("", 17), ("com.microsoft", 1)]), "domain com.microsoft")
    custom = helper.make_node("FusedConv", ["x"], ["u"], domain="com.microsoft")
    refused(network(nodes=[custom]), "domain com.microsoft")
    model = network()
    identity = [helper.make_node("Identity", ["a"], ["b"])]
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], identity, [helper.make_opsetid("", 17)]))
    refused(model, "functions of its own")


def test_faulty_weights_are_refused():
    refused(network((1.0, np.nan)), "w holds values that are not finite")
    refused(network((1.0, np.inf)), "w holds values that are not finite")
    model = network()
    model.graph.initializer[0].raw_data += b"1234"
    refused(model, "damaged: w")
    model = network()
    model.graph.initializer[0].dims[0] = 1 << 40
    refused(model, "damaged: w")
    model = network()
    model.graph.initializer[0].data_type = 99
    refused(model, "damaged: w|w")


@pytest.mark.parametrize("content", [b"", b"\x00", b"no model at all", b"\xff" * 100])
def test_what_is_no_model_is_refused(content):
    with pytest.raises(GraphError, match="no ONNX model"):
        parse_onnx(content, "here")


def test_an_invalid_graph_is_refused():
    refused(network(operator="NoSuchOperator"), "not valid ONNX")
    model = network()
    model.graph.node[0].input[1] = "nowhere"
    refused(model, "not valid ONNX")


def ending(*nodes):
    """A graph that ends with ``nodes``, whose values are x, a, b ..."""
    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(list(nodes), "net", [], [output])


def test_an_activation_is_found_behind_operators_that_keep_its_range():
    sigmoid, resize = helper.make_node("Sigmoid", ["x"], ["a"]), helper.make_node("Resize", ["a"], ["b"])
    assert find_activation(ending(sigmoid)) == "Sigmoid"
    assert find_activation(ending(sigmoid, resize, helper.make_node("Cast", ["b"], ["c"]))) == "Sigmoid"
    assert find_activation(ending(sigmoid, helper.make_node("Mul", ["x", "a"], ["b"]))) is None  # an attention gate
    assert find_activation(ending(helper.make_node("Cast", ["x"], ["a"]), resize)) is None


@settings(max_examples=400)
@given(at=st.floats(0, 0.999), byte=st.integers(0, 255), how=st.sampled_from(["changed", "cut", "doubled"]))
def test_any_single_damage_is_survived(at, byte, how):
    content = network().SerializeToString()
    index = int(at * len(content))
    tail = {
        "changed": bytes([byte]) + content[index + 1 :],
        "cut": b"",
        "doubled": content[index : index + 1] + content[index:],
    }[how]
    try:
        model = parse_onnx(content[:index] + tail, "here")
    except GraphError:
        return
    for tensor in model.graph.initializer:
        assert np.isfinite(numpy_helper.to_array(tensor)).all()
