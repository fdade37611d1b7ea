"""Read PyTorch's pickles without executing them.

Python's unpickler calls whatever a pickle names. Here the opcodes are parsed (``pickletools``) and the few that a
dictionary of tensors needs are applied to plain values; only the functions in ``ALLOWED_CALLS`` can be called, which
describe tensors. Everything else is an error.
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
    """A name in a module, e.g. ``torch.FloatStorage``; nothing is imported."""

    module: str
    name: str

    def __str__(self) -> str:
        """Return the dotted name."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Storage:
    """A block of numbers elsewhere in the file.

    Attributes:
        key: name of the block in the file.
        type_name: PyTorch's name of the type, e.g. "FloatStorage".
        length: number of elements.
    """

    key: str
    type_name: str
    length: int


@dataclass(frozen=True)
class TensorView:
    """A tensor as a view of a storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(arguments: tuple[Any, ...]) -> TensorView:
    """Stand in for ``torch._utils._rebuild_tensor`` and ``_rebuild_tensor_v2``; later arguments are not needed."""
    if len(arguments) < 4 or not isinstance(arguments[0], Storage):
        raise CheckpointError("The file is damaged: a tensor has no storage.")
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(shape, tuple | list) or not isinstance(strides, tuple | list):
        raise CheckpointError("The file is damaged: a tensor's shape is not a list of numbers.")
    numbers = (offset, *shape, *strides)
    if not all(isinstance(number, int) and number >= 0 for number in numbers) or len(shape) != len(strides):
        raise CheckpointError("The file is damaged: a tensor's shape makes no sense.")
    return TensorView(storage, offset, tuple(shape), tuple(strides))


#: what a pickle may call, with its arguments as a tuple
ALLOWED_CALLS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": lambda arguments: arguments[0] if arguments else None,
    "collections.OrderedDict": lambda arguments: dict(arguments[0]) if arguments else {},
    "torch.Size": lambda arguments: tuple(arguments[0]) if arguments else (),
}

_MARK = object()
_NUMBERS = {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"}
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"}
_BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}


class PickleReader:
    """A stack machine for the opcodes of plain data.

    Args:
        stream: positioned at the beginning of a pickle; ``read`` leaves it behind the end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        """Read the value of the pickle.

        Raises:
            CheckpointError: the pickle is damaged, or holds more than plain data and tensors.
        """
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(self._stream)):
                if count > MAX_OPCODES:
                    raise CheckpointError("The file holds more than a file of weights can.")
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._execute(opcode.name, argument)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise CheckpointError(f"The file is not a PyTorch file, or a damaged one: {error}.") from error
        raise CheckpointError("The file is damaged: its pickle has no end.")

    def _execute(self, name: str, argument: Any) -> None:
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
            attribute, module = stack.pop(), stack.pop()
            stack.append(Global(str(module), str(attribute)))
        elif name == "BINPERSID":
            stack.append(_parse_storage(stack.pop()))
        elif name in {"REDUCE", "BUILD", "NEWOBJ", "INST", "OBJ", "NEWOBJ_EX"}:
            self._call(name, argument)
        elif name not in {"PROTO", "FRAME"}:
            self._collect(name)

    def _collect(self, name: str) -> None:
        """Execute an opcode that puts values into a collection."""
        stack = self._stack
        if name in {"TUPLE", "LIST", "DICT"}:
            items: Any = self._pop_to_mark()
            if name == "DICT":
                stack.append(dict(zip(items[::2], items[1::2], strict=True)))
            else:
                stack.append(tuple(items) if name == "TUPLE" else items)
        elif name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            items = self._pop_to_mark()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name in {"APPENDS", "ADDITEMS"}:
            items = self._pop_to_mark()
            stack[-1].extend(items)
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self._pop_to_mark()
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            raise CheckpointError(f"The file is not a file of weights: its pickle uses {name}.")

    def _pop_to_mark(self) -> list[Any]:
        """Pop the values above the last mark, and the mark."""
        items: list[Any] = []
        while self._stack[-1] is not _MARK:
            items.append(self._stack.pop())
        self._stack.pop()
        return items[::-1]

    def _call(self, name: str, argument: Any) -> None:
        """Execute REDUCE of an allowed call or BUILD of a dictionary, whose attributes are dropped; refuse the rest."""
        if name in {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"}:
            depth = {"NEWOBJ": 2, "NEWOBJ_EX": 3}.get(name)
            target = argument if name == "INST" else (self._stack[-depth] if depth else self._pop_to_mark()[0])
            raise _forbidden(target)
        arguments = self._stack.pop()
        target = self._stack[-1]
        if name == "REDUCE":
            call = ALLOWED_CALLS.get(str(target)) if isinstance(target, Global) else None
            if call is None or not isinstance(arguments, tuple):
                raise _forbidden(target)
            self._stack[-1] = call(arguments)
        elif not isinstance(target, dict):
            raise _forbidden(target)


def _forbidden(target: Any) -> CheckpointError:
    return CheckpointError(
        f"The file holds an object ({target}), not only weights; such a file can run any program and is not read.",
        "Save the state_dict() of the model instead.",
    )


def _parse_storage(identifier: Any) -> Storage:
    """Parse a persistent id: ("storage", type, key, device, length, ...)."""
    if not isinstance(identifier, tuple) or len(identifier) < 5 or identifier[0] not in {"storage", b"storage"}:
        raise CheckpointError("The file is damaged: a tensor's storage is not described.")
    storage_type, key, length = identifier[1], identifier[2], identifier[4]
    if not isinstance(storage_type, Global) or storage_type.module.split(".")[0] != "torch":
        raise _forbidden(storage_type)
    if not isinstance(length, int):
        raise CheckpointError("The file is damaged: a tensor's storage has no length.")
    if len(identifier) > 5 and identifier[5] is not None:
        raise CheckpointError("The file is of a PyTorch older than 0.4 with views of storages, which is not supported.")
    return Storage(str(key), storage_type.name, length)
