"""Fuzz targets: one for each reader of untrusted files or messages.

A target fails if the reader raises anything but its own errors, or returns an invalid result. The fuzzer also limits
memory and time.
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from readers import check_raster, check_vector, raster_seeds, vector_seeds

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """A fuzz target.

    Attributes:
        seeds: returns the first inputs.
        check: tries any bytes; raises if something is wrong.
        module: the module whose coverage guides the fuzzer.
        inputs: inputs of a short run.
    """

    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes], None]
    module: str
    inputs: int = 1500  # one to two seconds


def as_file(data: bytes, suffix: str) -> Path:
    """Write ``data`` to a file of this process, the same one each time.

    It is in the folder FUZZ_FILES, or in memory, because libFuzzer ends a process without cleaning up.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
    path = Path(os.environ.get("FUZZ_FILES", memory)) / f"terraspore-fuzz-{os.getpid()}{suffix}"
    path.write_bytes(data)
    return path


def check_message(error: Exception) -> None:
    """Check that the message of an error is there, and one line up to its first colon."""
    text = str(error)
    assert text.strip(), "an empty message"
    assert "\n" not in text.partition(":")[0], text


def checkpoint_seeds() -> list[bytes]:
    import numpy as np
    from terraspore.engine.models.checkpoint import write_checkpoint

    path = as_file(b"", ".ckpt")
    seeds = []
    for kind in ("float32", "float16", "int32", "bool"):
        write_checkpoint(path, {"a": np.ones((2, 3), kind), "step": np.array(1, np.int32)})
        seeds += [path.read_bytes(), path.read_bytes()[:-17]]
    return seeds


def check_checkpoint(data: bytes) -> None:
    import numpy as np
    from terraspore.engine.errors import CheckpointError
    from terraspore.engine.models.checkpoint import read_checkpoint

    try:
        tensors = read_checkpoint(as_file(data, ".ckpt"))
    except CheckpointError as error:
        check_message(error)
        return
    assert sum(tensor.nbytes for tensor in tensors.values()) <= 2 * len(data), "more than the file holds"
    assert all(np.isfinite(tensor).all() for tensor in tensors.values() if tensor.dtype.kind == "f")


def card_seeds() -> list[bytes]:
    return [path.read_bytes() for path in (ROOT / "resources" / "models").glob("*/card.json")] or [b'{"format": 1}']


def check_card(data: bytes) -> None:
    from terraspore.engine.errors import CardError
    from terraspore.engine.models.card import card_text, parse_card, read_card

    try:
        card = read_card(as_file(data, ".json"))
    except CardError as error:
        check_message(error)
        return
    assert parse_card(card_text(card), "again") == card


def mindir_seeds() -> list[bytes]:
    return [(ROOT / "tests" / "engine" / "mindir" / "data" / "small.mindir").read_bytes()]


def check_mindir(data: bytes) -> None:
    from terraspore.engine.errors import GraphError
    from terraspore.engine.mindir import convert, read_mindir

    try:
        network = read_mindir(data)
        assert all(entry.data is not None and entry.data.shape == entry.shape for entry in network.parameters)
        assert sum(entry.data.nbytes for entry in network.parameters) <= len(data)
        convert(network)
    except GraphError as error:
        check_message(error)


def onnx_seeds() -> list[bytes]:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "w"], ["y"], pads=[0, 0, 0, 0]), helper.make_node("Sigmoid", ["y"], ["z"])],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "w")],
    )
    return [helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()]


def check_onnx(data: bytes) -> None:
    import numpy as np
    from onnx import numpy_helper
    from terraspore.engine.errors import GraphError
    from terraspore.engine.models.onnx_file import parse_onnx

    try:
        model = parse_onnx(data, "x.onnx")
    except GraphError as error:
        check_message(error)
        return
    assert not any(
        node.op_type in ("Loop", "If", "Scan") or node.domain not in ("", "ai.onnx") for node in model.graph.node
    )
    for tensor in model.graph.initializer:
        assert not tensor.external_data
        values = numpy_helper.to_array(tensor)
        assert values.dtype.kind != "f" or np.isfinite(values).all()


_VRT = b"""<VRTDataset rasterXSize="4" rasterYSize="3"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="1">%s</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


def vrt_seeds() -> list[bytes]:
    names = (
        b"a.tif", b"/dev/null", b"/vsicurl/http://x/a.tif", b"&lt;VRTDataset>", b"<![CDATA[/dev/zero]]>",
        b"MEM:::D", b"NETCDF:&quot;/dev/null&quot;:a", b"<!-- a -->x",
    )  # fmt: skip
    return [_VRT % name for name in names] + [
        b'<VRTDataset subClass="VRTRawRasterBand"/>',
        b"<PixelFunctionLanguage>Python",
    ]


def check_vrt(data: bytes) -> None:
    """Forbidden references that are plain text are found, and no error but the reader's own is raised."""
    from terraspore.engine.errors import SourceError
    from terraspore.engine.raster.vrt_security import check_references

    try:
        check_references(as_file(data, ".vrt"))
    except SourceError as error:
        check_message(error)
        return
    if b"<VRTDataset" in data[:1024]:
        assert not re.search(rb"VRTRawRasterBand|PixelFunctionCode|/vsicurl|/vsis3|MEM:::", data), data
        assert not re.search(rb"<SourceFilename>/dev/(null|zero|tty)</SourceFilename>", data), data


def command_seeds() -> list[bytes]:
    return [
        b'{"type": "run", "id": 1, "arguments": ["extract", "roads", "a.tif", "--output=b.gpkg"]}\n',
        b'{"type": "cancel", "id": 1}\n{"type": "ping"}\n{"type": "ping", "id": 5}\n',
        b'{"type": "run", "id": 2, "arguments": ["\\ud800\\u0000"]}\n[[[[\n{"type": "x"}',
    ]


def check_command(data: bytes) -> None:
    """A server that executes no runs: each line is a run, an answer or nothing, and answers follow the protocol."""
    from terraspore.engine.cli.cli_context import CliContext
    from terraspore.engine.cli.serve import Server
    from terraspore.engine.protocol.codec import ProtocolError, decode_command
    from terraspore.engine.protocol.messages import RunCommand

    output = io.StringIO()
    server = Server(output, CliContext())
    for line in data.split(b"\n"):
        try:
            command = decode_command(line)
        except ProtocolError as error:
            assert len(str(error)) < 300  # noqa: PT017 (either outcome is right)
            continue
        if isinstance(command, RunCommand):
            assert all("\0" not in argument for argument in command.arguments)
            [argument.encode("utf-8", "surrogateescape") for argument in command.arguments]
    for line in data.split(b"\n")[:20]:
        server.handle_line(line)
    server.stop()
    for text in output.getvalue().splitlines():
        assert json.loads(text)["type"] in ("pong", "error")


def event_seeds() -> list[bytes]:
    return [
        b'{"type": "plan", "tiles": 4, "width": 100, "height": 80, "resolution": 1.0, "tile": 64, "overlap": 16, '
        b'"model": "m", "runtime": "r", "device": "cpu", "reason": "x", "memory_bytes": 1000, "seconds": 2, "id": 1}\n',
        b'{"type": "progress", "stage": "infer", "done": 1, "total": 4, "rate": 1e3, "eta": null, "id": 1}\n',
        b'{"type": "message", "text": "a", "level": "warning"}\n{"type": "pong"}\n{"type": "later"}\n',
        b'{"type": "result", "outputs": {"vectors": "/a.gpkg"}, "summary": {"a": 1, "b": null}, "seconds": 1, '
        b'"text": ""}\n',
        b'{"type": "error", "code": "SourceError", "text": "x", "hint": null, "exit_code": 2, "id": 3}\nwords\n',
    ]


def check_event(data: bytes) -> None:
    import math

    from terraspore.engine.protocol.codec import ProtocolError, decode_event, read_lines
    from terraspore.engine.protocol.messages import Progress, Result

    try:
        for line in read_lines(io.BytesIO(data), 1000):
            found = decode_event(line)
            if found is None:
                continue
            assert found.id is None or 0 <= found.id < 1 << 53
            if isinstance(found.event, Progress):
                assert 0 <= found.event.done <= found.event.total
                assert all(value is None or math.isfinite(value) for value in (found.event.rate, found.event.eta))
            if isinstance(found.event, Result):
                assert all(isinstance(path, str) and path and "\0" not in path for path in found.event.outputs.values())
                assert all(
                    value is None or isinstance(value, (str, int, float)) for value in found.event.summary.values()
                )
    except ProtocolError as error:
        assert 0 < len(str(error)) < 300  # noqa: PT017 (either outcome is right)


def torch_seeds() -> list[bytes]:
    import zipfile
    from pickle import dumps

    seeds = [dumps({"a": 1}, protocol=2)]
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("archive/data.pkl", dumps({"a": [1, (2, 3)]}, protocol=2))
        archive.writestr("archive/data/0", bytes(16))
    return [*seeds, memory.getvalue()]


def check_torch(data: bytes) -> None:
    """The instructions of a pickle are parsed but not executed: the result has only tensors."""
    import numpy as np
    from terraspore.engine.errors import CheckpointError
    from terraspore.training.weights.torch_file import read_torch

    try:
        tensors = read_torch(as_file(data, ".pth"))
    except CheckpointError as error:
        check_message(error)
        return
    assert all(isinstance(tensor, np.ndarray) for tensor in tensors.values())


TARGETS = {
    "checkpoint": Target(checkpoint_seeds, check_checkpoint, "engine.models.checkpoint"),
    "card": Target(card_seeds, check_card, "engine.models.card"),
    "mindir": Target(mindir_seeds, check_mindir, "engine.mindir"),
    "onnx": Target(onnx_seeds, check_onnx, "engine.models.onnx_file"),
    "vrt": Target(vrt_seeds, check_vrt, "engine.raster.vrt_security"),
    "command": Target(command_seeds, check_command, "engine.cli.serve"),
    "event": Target(event_seeds, check_event, "engine.protocol.codec"),
    "raster": Target(raster_seeds, check_raster, "engine.raster", 20),
    "vector": Target(vector_seeds, check_vector, "engine.vector.io.reader", 20),
    "torch": Target(torch_seeds, check_torch, "training.weights.torch_file"),
}
