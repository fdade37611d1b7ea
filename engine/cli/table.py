"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Sequence


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under headings, as wide as their widest cell, two blanks apart; no blanks at the ends of lines."""
    widths = [max(len(row[index]) for row in (headings, *rows)) for index in range(len(headings))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (headings, *rows))
    return "\n".join(line.rstrip() for line in lines)
