"""Which packages may import which, and what the distribution contains."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")  # pytest needs it

ROOT = Path(__file__).resolve().parents[1]


def imported_names(path: Path, *, everywhere: bool) -> Iterator[str]:
    """Yield the absolute names that a module imports; those of its top level only, unless ``everywhere``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ["terraspore", *path.relative_to(ROOT).with_suffix("").parts[:-1]]
    nodes = ast.walk(tree) if everywhere else iter(top_level(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield prefix
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def top_level(tree: ast.Module) -> list[ast.stmt]:
    """Statements that run at import; a ``if TYPE_CHECKING:`` block does not run."""
    return [node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))]


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def forbidden_imports(package: str, banned: tuple[str, ...], *, everywhere: bool) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(package)
        for name in imported_names(path, everywhere=everywhere)
        if any(name == root or name.startswith(f"{root}.") for root in banned)
    ]


def test_the_engine_imports_neither_qgis_nor_the_training_package():
    assert modules("engine")
    assert (
        forbidden_imports(
            "engine", ("qgis", "PyQt5", "PyQt6", "terraspore.training", "terraspore.plugin"), everywhere=True
        )
        == []
    )


#: The packages of the engine from the top down: each imports only those of the lines below it.
LAYERS = (
    {"cli", "launch"},
    {"cluster"},
    {"pipeline"},
    {"runtimes", "vector"},
    {"models"},
    {"raster"},
    {"tiling", "mindir"},
    {"concurrency"},
    {"context", "fs"},
    {"protocol"},
    {"strict"},
    {"errors", "protobuf"},
)


def test_packages_of_the_engine_import_only_those_below():
    level = {package: number for number, packages in enumerate(LAYERS) for package in packages}
    upward = []
    for path in modules("engine"):
        package = path.relative_to(ROOT / "engine").with_suffix("").parts[0]
        if package == "__init__":
            continue
        for name in imported_names(path, everywhere=True):
            other = name.split(".")[2] if name.startswith("terraspore.engine.") else package
            if other != package and level[other] <= level[package]:
                upward.append(f"{path.relative_to(ROOT)}: {name}")
    assert upward == []


def test_the_engine_imports_mindspore_only_inside_functions():
    assert forbidden_imports("engine", ("mindspore", "mindspore_lite"), everywhere=False) == []


def test_only_the_package_for_clusters_imports_dask():
    found = forbidden_imports("engine", ("dask", "distributed"), everywhere=True)
    assert {Path(entry.split(":")[0]).parts[1] for entry in found} == {"cluster"}


def test_modules_and_functions_are_short():
    long = []
    for path in (path for package in ("engine", "plugin", "training", "tools") for path in modules(package)):
        text = path.read_text(encoding="utf-8")
        places = [(str(path.relative_to(ROOT)), text.count("\n"), 400)]
        functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
        places += [(f"{places[0][0]}: {node.name}", node.end_lineno - node.lineno + 1, 60) for node in functions]
        long += [f"{name} has {lines} lines" for name, lines, most in places if lines > most]
    assert long == []


def test_training_does_not_import_qgis():
    assert modules("training")
    assert forbidden_imports("training", ("qgis", "PyQt5", "PyQt6", "terraspore.plugin"), everywhere=True) == []


def test_the_plugin_imports_of_the_engine_only_what_needs_no_package():
    banned = ("numpy", "rasterio", "shapely", "onnx", "onnxruntime", "openvino", "mindspore", "cv2", "scipy")
    found = forbidden_imports("plugin", (*banned, "terraspore.engine", "terraspore.training"), everywhere=True)
    # The protocol, the journal to find unfinished runs, and locks and renames for environments. They need only the
    # standard library (see tests/engine/protocol/test_codec.py, tests/engine/fs/test_journal.py).
    names = ("protocol", "errors", "fs.journal", "fs.lock", "fs.rename")
    allowed = tuple(f"terraspore.engine.{name}." for name in names)
    assert [entry for entry in found if not f"{entry.split(': ')[1]}.".startswith(allowed)] == []


def test_the_plugin_gets_qt_through_qgis():
    assert forbidden_imports("plugin", ("PyQt5", "PyQt6", "PySide2", "PySide6"), everywhere=True) == []


def test_the_distribution_lists_every_package():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        ".".join(["terraspore", *path.parent.relative_to(ROOT).parts])
        for package in ("engine", "training", "plugin")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert listed == found | {"terraspore"}


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for package in ("engine", "training", "plugin") for path in modules(package)}
    assert [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("arguments", [["--help"], ["extract", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]):
    code = (
        "import sys\nfrom terraspore.engine.cli import run\n"
        f"code = run({arguments!r})\n"
        "heavy = {'mindspore', 'onnxruntime', 'openvino', 'onnx', 'numba', 'skimage', 'cv2', 'dask'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
