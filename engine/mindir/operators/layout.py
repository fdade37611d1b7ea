"""Operations that move values without changing them: reshaping, transposing, joining, slicing, padding."""

from __future__ import annotations

from typing import Any

from ...errors import GraphError
from ..builder import Call, Const, Ref, as_array, require_equal
from ..reader import Shape


def pass_through(call: Call) -> Any:
    """``Load`` and ``Depend``: their first input; the others only order side effects."""
    return call.operands[0]


def ignore(call: Call) -> Const:  # noqa: ARG001 (all functions have this shape)
    """``UpdateState``: it only orders side effects, and has no value."""
    return Const((None,))


def make_tuple(call: Call) -> tuple[Any, ...]:
    """``MakeTuple``: the inputs as one value."""
    return tuple(call.operands)


def tuple_get_item(call: Call) -> Any:
    """``TupleGetItem``: one entry."""
    entries, index = call.operands[0], int(call.value(1, "index"))
    if not isinstance(entries, tuple) or not -len(entries) <= index < len(entries):
        raise GraphError(f"{call.node.name!r} takes entry {index} of a result that is not supported.")
    return entries[index]


def expand_dims(call: Call) -> Ref:
    """``ExpandDims`` -> ``Unsqueeze``."""
    axis = int(call.value(1, "axis"))
    return call.emit("Unsqueeze", [call.tensor(0).name, call.builder.integers([axis % (call.tensor(0).rank + 1)])])


def squeeze(call: Call) -> Ref:
    """``Squeeze`` -> ``Squeeze``; one that undoes the ``Unsqueeze`` before it is dropped together with it."""
    source = call.tensor(0)
    axes = call.value(1, "axis", ())
    axes = (axes,) if isinstance(axes, int) else tuple(axes or ())
    chosen = [axis % source.rank for axis in axes] or [
        axis for axis in range(source.rank) if all(shape[axis] == 1 for shape in source.shapes)
    ]
    builder = call.builder
    axes_name = builder.integers(chosen)
    last = builder.nodes[-1]
    if last.op_type == "Unsqueeze" and list(last.output) == [source.name] and last.input[1] == axes_name:
        return Ref(str(last.input[0]), call.shapes())
    return call.emit("Squeeze", [source.name, axes_name])


def transpose(call: Call) -> Ref:
    """``Transpose`` -> ``Transpose``."""
    return call.emit("Transpose", [call.tensor(0).name], perm=[int(axis) for axis in call.value(1, "perm")])


def reshape(call: Call) -> Ref:
    """``Reshape`` -> ``Reshape``; sizes that follow the input are taken from tensors at run time."""
    source, target = call.tensor(0), call.shapes()
    builder = call.builder
    changing = [axis for axis in range(len(target[0])) if len({shape[axis] for shape in target}) > 1]
    if len(changing) <= 1 and builder.variants > 1:
        fixed = [-1 if axis in changing else size for axis, size in enumerate(target[0])]
        return call.emit("Reshape", [source.name, builder.integers(fixed)])
    # At most one size is left to the runtime (-1): one that is no tensor's size, e.g. a product.
    unknown = [axis for axis in changing if builder.find_axis(tuple(shape[axis] for shape in target), [source]) is None]
    if len(unknown) > 1:
        raise GraphError(f"{call.node.name!r} reshapes to sizes that do not follow from the input's.")
    open_target = [tuple(-1 if axis in unknown else size for axis, size in enumerate(shape)) for shape in target]
    return call.emit("Reshape", [source.name, builder.sizes(open_target, [source])])


def flatten(call: Call) -> Ref:
    """``Flatten`` behind the first axis."""
    return call.emit("Flatten", [call.tensor(0).name], axis=1)


def concat(call: Call) -> Ref:
    """``Concat`` of a tuple, the axis behind it."""
    entries = call.operands[0]
    inputs = entries if isinstance(entries, tuple) else call.operands[:-1]
    if not all(isinstance(entry, Ref) for entry in inputs):
        raise GraphError(f"{call.node.name!r} joins something other than tensors.")
    axis = int(call.value(1, "axis", 0)) if isinstance(entries, tuple) else int(call.attribute("axis", 0))
    return call.emit("Concat", [entry.name for entry in inputs], axis=axis)


def split(call: Call) -> tuple[Ref, ...]:
    """``Split`` into equal parts."""
    axis, count = int(call.value(1, "axis", 0)), int(call.value(2, "output_num", 1))
    source = call.tensor(0)
    shapes = [call.shapes(index) for index in range(count)]
    sizes = {shape[axis] for part in shapes for shape in part}
    if len(sizes) != 1 or sizes.pop() * count != source.shapes[0][axis]:
        raise GraphError(f"{call.node.name!r} splits into parts that are not supported.")
    part = call.builder.integers([shapes[0][0][axis]] * count)
    return call.builder.emit_several("Split", [source.name, part], shapes, axis=axis)


def strided_slice(call: Call) -> Ref:
    """``StridedSlice`` without masks for ellipsis or new axes -> ``Slice`` and ``Squeeze`` of the removed axes."""
    for index, mask in ((6, "ellipsis_mask"), (7, "new_axis_mask")):
        if call.value(index, mask, 0):
            raise GraphError(f"{call.node.name!r} cuts with {mask}, which is not supported.")
    source, builder = call.tensor(0), call.builder
    steps = call.value(3, "strides")
    if any(step < 1 for step in steps):
        raise GraphError(f"{call.node.name!r} cuts backwards, which is not supported.")
    begins, ends = call.values(1, "begin"), _open_ends(call.values(2, "end"), source)
    begin_mask, end_mask = int(call.value(4, "begin_mask", 0)), int(call.value(5, "end_mask", 0))
    begins = tuple(tuple(0 if begin_mask >> i & 1 else v for i, v in enumerate(b)) for b in begins)
    ends = tuple(tuple(_FAR if end_mask >> i & 1 else v for i, v in enumerate(e)) for e in ends)
    single = [axis for axis in range(len(steps)) if int(call.value(8, "shrink_axis_mask", 0)) >> axis & 1]
    # An axis that is removed is sliced at one index, whatever its end.
    ends = tuple(
        tuple((b + 1 or _FAR) if axis in single else e for axis, (b, e) in enumerate(zip(begin, end, strict=True)))
        for begin, end in zip(begins, ends, strict=True)
    )
    bounds = [_bounds(call, source, values, {1, *single}) for values in (begins, ends)]
    inputs = [source.name, *bounds, builder.integers(list(range(len(steps)))), builder.integers(steps)]
    if not single:
        return call.emit("Slice", inputs)
    shapes = tuple(_with_ones(shape, single) for shape in call.shapes())
    cut = builder.emit("Slice", inputs, shapes)
    return call.emit("Squeeze", [cut.name, builder.integers(single)])


def _with_ones(shape: Shape, axes: list[int]) -> Shape:
    """``shape`` with a size of 1 inserted at ``axes``, which are ascending."""
    sizes = list(shape)
    for axis in axes:
        sizes.insert(axis, 1)
    return tuple(sizes)


#: The end of an axis in a ``Slice``.
_FAR = 2**63 - 1


def _bounds(call: Call, source: Ref, values: tuple[tuple[int, ...], ...], fixed: set[int]) -> str:
    """Begins or ends of a slice: plain numbers on the axes ``fixed``, sizes that may follow the input on others."""
    if all(value in {0, _FAR} for bound in values for axis, value in enumerate(bound) if axis not in fixed):
        return call.builder.integers(require_equal(values, call.node, "begin or end"))
    return call.builder.sizes(values, [source])


def _open_ends(ends: tuple[tuple[int, ...], ...], source: Ref) -> tuple[tuple[int, ...], ...]:
    """``ends`` with those that are the source's own size in every variant replaced by ``_FAR``."""
    whole = [
        all(end[axis] == shape[axis] for end, shape in zip(ends, source.shapes, strict=True))
        for axis in range(len(ends[0]))
    ]
    return tuple(tuple(_FAR if whole[i] else value for i, value in enumerate(end)) for end in ends)


def pad(call: Call) -> Ref:
    """``PadV3`` with a constant, by reflection or by repeating the edge -> ``Pad``."""
    source = call.tensor(0)
    mode = str(call.attribute("mode", "constant"))
    if mode not in {"constant", "reflect", "edge"} or not call.attribute("paddings_contiguous", True):
        raise GraphError(f"{call.node.name!r} pads in a way that is not supported ({mode}).")
    pads = [int(entry) for entry in as_array(call.value(1, "paddings"))]
    before, after = [0] * source.rank, [0] * source.rank
    for index in range(len(pads) // 2):
        before[source.rank - 1 - index], after[source.rank - 1 - index] = pads[2 * index], pads[2 * index + 1]
    inputs = [source.name, call.builder.integers(before + after)]
    if mode == "constant":
        inputs.append(call.tensor(2).name)
    return call.emit("Pad", inputs, mode=mode)


OPERATORS = {
    "Load": pass_through,
    "Depend": pass_through,
    "UpdateState": ignore,
    "MakeTuple": make_tuple,
    "TupleGetItem": tuple_get_item,
    "ExpandDims": expand_dims,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Reshape": reshape,
    "Flatten": flatten,
    "Concat": concat,
    "Split": split,
    "StridedSlice": strided_slice,
    "PadV3": pad,
}
