"""The reader on a real file, and on files that are damaged or something else. Needs no MindSpore."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.errors import GraphError
from terraspore.engine.mindir import convert, read_mindir

DATA = Path(__file__).parent / "data"
SMALL = (DATA / "small.mindir").read_bytes()


def field(number: int, content: bytes | int) -> bytes:
    """One field of a protobuf message."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def model(graph: bytes, *more: bytes) -> bytes:
    return field(2, b"MindSpore") + field(7, graph) + b"".join(more)


def tensor(name: bytes, dims: tuple[int, ...], raw: bytes, kind: int = 1) -> bytes:
    return b"".join(field(1, d) for d in dims) + field(2, kind) + field(7, name) + field(9, raw)


def test_reads_what_mindspore_wrote():
    network = read_mindir(DATA / "small.mindir")
    assert [t.shape for t in network.inputs] == [(1, 3, 8, 10)]
    assert {p.name: p.shape for p in network.parameters} == {
        "conv.weight": (4, 3, 3, 3),
        "conv.bias": (4,),
        "bn.gamma": (4,),
        "bn.beta": (4,),
        "bn.moving_mean": (4,),
        "bn.moving_variance": (4,),
        "up.weight": (4, 2, 3, 3),
        "up.bias": (2,),
    }
    conv = next(node for node in network.nodes if node.op == "Conv2D")
    assert conv.attributes["pad"] == (0, 1, 2, 1)


def test_converted_file_gives_mindspores_output():
    session = onnxruntime.InferenceSession(convert(SMALL).SerializeToString(), providers=["CPUExecutionProvider"])
    known = np.load(DATA / "small.npz")
    (output,) = session.run(None, {"image": known["image"]})
    np.testing.assert_allclose(output, known["output"], rtol=1e-4, atol=1e-4)


#: bytes of the last field, which no reading of a network needs
_LAST = len(field(13, 3))


@given(st.integers(0, len(SMALL) - 1 - _LAST))
@settings(max_examples=150)
def test_file_that_is_cut_off_is_refused(length):
    with pytest.raises(GraphError):
        convert(SMALL[:length])


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=300)
def test_damaged_bytes_give_a_sentence_or_a_network(changes):
    data = bytearray(SMALL)
    for place, value in changes:
        data[place] = value
    try:
        network = read_mindir(bytes(data))
        convert(network)
    except GraphError as error:
        assert str(error).endswith(".")  # noqa: PT017 (either outcome is right)
    else:
        assert all(p.data is not None and p.data.shape == p.shape for p in network.parameters)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "no graph"),
        (b"PK\x03\x04" + bytes(60), "wire type|beyond|damaged|no graph"),
        (field(2, b"pytorch") + field(7, field(2, b"g")), "another program"),
        (model(field(2, b"g"), field(8, field(2, b"h"))), "control flow"),
        (model(field(2, b"g") + field(3, tensor(b"g:w", (2, 2), bytes(12)))), "12 bytes"),
        (model(field(2, b"g") + field(3, tensor(b"g:w", (0,), b""))), "0 bytes"),
        (model(field(2, b"g") + field(3, tensor(b"g:w", (1 << 40, 1 << 40), bytes(8)))), "8 bytes"),
        (model(field(2, b"g") + field(3, tensor(b"g:w", (1,), bytes(4), kind=8))), "type number 8"),
        (model(field(2, b"g") + field(3, field(7, b"g:w") + field(2, 1) + field(12, field(1, b"x")))), "another file"),
        (model(field(2, b"g") + field(3, field(7, b"g:w") + field(2, 1) + field(1, 4))), "not in the file"),
        (model(field(2, b"g") + 2 * field(3, tensor(b"g:w", (1,), bytes(4)))), "one name for two"),
        (model(field(2, b"g") + field(1, field(2, b"g:n") + field(4, b"REF::Conv2D:1"))), "primitives"),
        (model(field(2, b"g\xff")), "not UTF-8"),
    ],
)
def test_what_is_no_network_is_refused(data, part):
    with pytest.raises(GraphError, match=part):
        read_mindir(data)


def test_values_nested_without_end_are_refused():
    value = field(1, b"value") + field(16, 20)
    for _ in range(40):
        value = field(1, b"value") + field(16, 20) + field(17, value)
    node = field(2, b"g:c") + field(4, b"Constant") + field(5, value)
    with pytest.raises(GraphError, match="nested"):
        read_mindir(model(field(2, b"g") + field(1, node)))


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.mindir")
    with pytest.raises(GraphError, match="not a regular file"):
        read_mindir(tmp_path / "pipe.mindir")
    with pytest.raises(GraphError, match="There is no file"):
        read_mindir(tmp_path / "missing.mindir")


def test_file_larger_than_the_limit_is_not_read(tmp_path):
    path = tmp_path / "large.mindir"
    with path.open("wb") as stream:
        stream.truncate((4 << 30) + 1)  # sparse: takes no room on the disk
    with pytest.raises(GraphError, match="at most 4294967296 are read"):
        read_mindir(path)
