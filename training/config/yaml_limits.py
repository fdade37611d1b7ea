"""Parsing of YAML with limits on depth and size, because aliases and nesting let a small file claim any memory."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

#: Most levels of nesting, and most values of a file when every alias is replaced by what it stands for.
MAX_DEPTH = 30
MAX_VALUES = 20_000
#: Most characters of a file and of a single value.
MAX_CHARACTERS = 1 << 20
MAX_SCALAR = 4000


def parse_yaml(text: str) -> Any:
    """Plain values of a YAML text: mappings, lists, texts, numbers, true, false, null.

    Raises:
        ValueError: it is not YAML, has a tag (``!!``), or exceeds a limit; the text completes "cannot be read: ...".
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"it has more than {MAX_CHARACTERS:,} characters")
    try:
        _check_events(text)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {' '.join(str(error).split())}") from error


def _check_events(text: str) -> None:
    """Raise ValueError where nesting, or the number or length of values, exceeds its limit."""
    sizes: dict[str, int] = {}  # of the anchors, in values
    open_sizes: list[int] = [0]
    open_anchors: list[str | None] = [None]
    anchor: str | None
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, CollectionStartEvent):
            open_sizes.append(0)
            open_anchors.append(event.anchor)
            if len(open_sizes) > MAX_DEPTH + 1:
                raise ValueError(f"it has more than {MAX_DEPTH} levels")
        if isinstance(event, (CollectionStartEvent, ScalarEvent)) and event.tag is not None:
            raise ValueError(f"it has the tag {event.tag[:100]!r}, but only plain values are read")
        if isinstance(event, CollectionEndEvent):
            size, anchor = open_sizes.pop() + 1, open_anchors.pop()
        elif isinstance(event, ScalarEvent):
            size, anchor = 1, event.anchor
            if len(event.value) > MAX_SCALAR:
                raise ValueError(f"a value has more than {MAX_SCALAR:,} characters")
        elif isinstance(event, AliasEvent):
            # What an alias stands for has no size yet where the alias is a part of it.
            size, anchor = sizes.get(str(event.anchor), MAX_VALUES), None
        else:
            continue
        open_sizes[-1] += size
        if anchor:
            sizes[anchor] = size
        if open_sizes[-1] > MAX_VALUES:
            raise ValueError(f"it has more than {MAX_VALUES:,} values with those that its aliases stand for")
