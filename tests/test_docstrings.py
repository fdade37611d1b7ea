"""Every public name of the engine and the training package has a docstring."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public_names(node: Documented, where: str) -> Iterator[tuple[str, Documented]]:
    """Yield the node and the public classes and functions in it, with their names."""
    yield where, node
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                yield from public_names(child, f"{where}.{child.name}")


@pytest.mark.parametrize("package", ["engine", "training"])
def test_everything_public_has_a_docstring(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    found = [
        pair
        for file in files
        for pair in public_names(ast.parse(file.read_text("utf-8")), str(file.relative_to(ROOT).with_suffix("")))
    ]
    assert len(found) > 300
    assert [name for name, node in found if not ast.get_docstring(node)] == []
