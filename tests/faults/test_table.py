"""Each row of the table of faults in the documentation names an existing test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| .+ \| .+ \| `(tests/[\w/]+\.py)::(\w+)` \|$", re.MULTILINE)


def defined_in(path):
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_row_of_the_table_of_faults_is_a_test():
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8").partition("## Faults\n")[2]
    rows = ROW.findall(text)
    assert len(rows) == text.count("\n| ") - 1  # without the heading
    for file, name in rows:
        assert name in defined_in(ROOT / file), f"{file}::{name}"
