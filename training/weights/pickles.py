"""Reads pickles of PyTorch without executing them.

Python's own unpickler calls whatever a pickle names. Here the opcodes are only parsed (``pickletools``) and the few
that a dictionary of tensors needs are carried out on plain values; a call is possible of the functions in
``CALLS`` only, which are ours and make descriptions of tensors. Everything else ends with a sentence.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from ...engine.errors import CheckpointError

MAX_OPCODES = 20_000_000


@dataclass(frozen=True)
class Global:
    """A name of a module, e.g. ``torch.FloatStorage``; nothing is imported."""

    module: str
    name: str

    def __str__(self) -> str:
        """The dotted name."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Storage:
    """A run of numbers that lies elsewhere in the file: its key, its type's name and its length."""

    key: str
    kind: str
    length: int


@dataclass(frozen=True)
class TensorView:
    """A tensor as a view of a storage; offset and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(arguments: tuple[Any, ...]) -> TensorView:
    """``torch._utils._rebuild_tensor`` and ``_rebuild_tensor_v2``; what is behind the strides is not needed."""
    if len(arguments) < 4 or not isinstance(arguments[0], Storage):
        raise CheckpointError("The file is damaged: a tensor has no storage.")
    storage, offset, shape, strides = arguments[:4]
    numbers = (offset, *_integers(shape), *_integers(strides))
    if not all(isinstance(number, int) and number >= 0 for number in numbers) or len(shape) != len(strides):
        raise CheckpointError("The file is damaged: a tensor's shape makes no sense.")
    return TensorView(storage, offset, tuple(shape), tuple(strides))


def _integers(values: Any) -> tuple[Any, ...]:
    if not isinstance(values, tuple | list):
        raise CheckpointError("The file is damaged: a tensor's shape is not a list of numbers.")
    return tuple(values)


def _parameter(arguments: tuple[Any, ...]) -> Any:
    """``torch._utils._rebuild_parameter``: the tensor in it."""
    return arguments[0] if arguments else None


def _dictionary(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """``collections.OrderedDict``, empty or from pairs."""
    return dict(arguments[0]) if arguments else {}


def _size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """``torch.Size``."""
    return tuple(arguments[0]) if arguments else ()


#: what a pickle may call
CALLS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "collections.OrderedDict": _dictionary,
    "torch.Size": _size,
}

_MARK = object()
_NUMBERS = {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"}
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"}
_BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}


class PickleReader:
    """A stack machine that knows the opcodes of plain data.

    Args:
        stream: at the beginning of a pickle; left behind its end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        """The value of the pickle.

        Raises:
            CheckpointError: damaged, or not plain data and tensors.
        """
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(self._stream)):
                if count > MAX_OPCODES:
                    raise CheckpointError("The file holds more than a file of weights can.")
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._step(opcode.name, argument)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise CheckpointError(f"The file is not a PyTorch file, or a damaged one: {error}.") from error
        raise CheckpointError("The file is damaged: its pickle has no end.")

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _NUMBERS or name in _TEXTS or name in _BYTES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in {"PUT", "BINPUT", "LONG_BINPUT"}:
            self._memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in {"GET", "BINGET", "LONG_BINGET"}:
            stack.append(self._memo[int(argument)])
        elif name == "GLOBAL":
            stack.append(Global(*str(argument).split(" ", 1)))
        elif name == "STACK_GLOBAL":
            found, module = stack.pop(), stack.pop()
            stack.append(Global(str(module), str(found)))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name in {"REDUCE", "BUILD", "NEWOBJ", "INST", "OBJ", "NEWOBJ_EX"}:
            self._call(name, argument)
        elif name not in {"PROTO", "FRAME"}:
            self._collect(name)

    def _collect(self, name: str) -> None:
        """Opcodes that put values into collections."""
        stack = self._stack
        if name in {"TUPLE", "LIST", "DICT"}:
            items = self._to_mark()
            pairs = zip(items[::2], items[1::2], strict=True) if name == "DICT" else ()
            stack.append({"TUPLE": tuple, "LIST": list}[name](items) if name != "DICT" else dict(pairs))
        elif name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            items = self._to_mark()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name in {"APPENDS", "ADDITEMS"}:
            items = self._to_mark()
            stack[-1].extend(items)
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self._to_mark()
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            raise CheckpointError(f"The file is not a file of weights: its pickle uses {name}.")

    def _to_mark(self) -> list[Any]:
        """The values above the last mark, taken off together with it."""
        items: list[Any] = []
        while self._stack[-1] is not _MARK:
            items.append(self._stack.pop())
        self._stack.pop()
        return items[::-1]

    def _call(self, name: str, argument: Any) -> None:
        """REDUCE of what may be called; BUILD of a dictionary's attributes, which are dropped; nothing else."""
        if name in {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"}:
            depth = {"NEWOBJ": 2, "NEWOBJ_EX": 3}.get(name)
            what = argument if name == "INST" else (self._stack[-depth] if depth else self._to_mark()[0])
            raise _object(what)
        arguments = self._stack.pop()
        target = self._stack[-1]
        if name == "REDUCE":
            call = CALLS.get(str(target)) if isinstance(target, Global) else None
            if call is None or not isinstance(arguments, tuple):
                raise _object(target)
            self._stack[-1] = call(arguments)
        elif not isinstance(target, dict):
            raise _object(target)


def _object(what: Any) -> CheckpointError:
    return CheckpointError(
        f"The file holds an object ({what}), not only weights; such a file can run any program and is not read.",
        "Save the state_dict() of the model instead.",
    )


def _storage(identifier: Any) -> Storage:
    """What a persistent id stands for: ("storage", type, key, device, length, ...)."""
    if not isinstance(identifier, tuple) or len(identifier) < 5 or identifier[0] not in {"storage", b"storage"}:
        raise CheckpointError("The file is damaged: a tensor's storage is not described.")
    kind, key, length = identifier[1], identifier[2], identifier[4]
    if not isinstance(kind, Global) or kind.module.split(".")[0] != "torch" or not isinstance(length, int):
        raise _object(kind)
    if len(identifier) > 5 and identifier[5] is not None:
        raise CheckpointError("The file is of a PyTorch older than 0.4 with views of storages, which is not supported.")
    return Storage(str(key), kind.name, length)
