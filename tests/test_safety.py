"""The source has no call that executes code from a file, and none that makes a temporary file others can access."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Modules that execute what they read, and PyTorch. ``pickletools`` only parses.
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "torch",
    "code",
    "codeop",
}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp"}
#: Methods and functions of any module that may execute code or load a pickle.
ATTRIBUTES = {
    "unsafe_load", "full_load", "UnsafeLoader", "FullLoader", "read_pickle", "to_pickle", "tempnam", "tmpnam",
    "getoutput", "getstatusoutput",
}  # fmt: skip
#: Tests write pickles, also with PyTorch, which the reader must refuse or parse without executing them; scripts that
#: are run by hand compute with PyTorch.
MAY_WRITE_PICKLES = {
    "tests/bench/torch_step.py",
    "tests/training/weights/make_data.py",
    "tests/training/weights/make_parity.py",
    "tests/training/weights/torch_networks.py",
    "tests/training/weights/test_torch_file.py",
    "tests/fuzz/targets.py",
}


def sources() -> list[Path]:
    """Return every Python file of the repository."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]
    folders = ("engine", "plugin", "training", "tests", "tools", "docs")
    return [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]


def find_unsafe_code(tree: ast.AST, name: str) -> Iterator[str]:
    """Yield the places of a module that could execute code from a file, or make a temporary file others can access."""
    for node in ast.walk(tree):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            absolute = isinstance(node, ast.Import) or not node.level
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for module in names:
                if absolute and module.partition(".")[0] in MODULES:
                    yield f"{where}: import of {module}"
        elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
            yield f"{where}: {node.attr}"
        elif isinstance(node, ast.Call):
            yield from (f"{where}: {name}" for name in _find_unsafe_call(node))


def _find_unsafe_call(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if called in CALLS:
        yield f"{called}()"
    if keywords.get("allow_pickle", "False") != "False":
        yield "allow_pickle"
    if keywords.get("shell", "False") != "False":
        yield "a shell"
    if called.endswith(("yaml.load", "load_module")):
        yield called


def test_nothing_executes_the_content_of_a_file():
    found = []
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        for place in find_unsafe_code(ast.parse(path.read_text(encoding="utf-8")), name):
            if name not in MAY_WRITE_PICKLES or not place.endswith(("pickle", " of torch", "torch.nn")):
                found.append(place)
    assert found == []
    assert len(sources()) > 300


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from pickle import loads", "import marshal as m", "import shelve", "import torch",
        "eval('1')",
        "exec(x)", "np.load(p, allow_pickle=x)", "np.load(p, allow_pickle=True)", "yaml.load(s, L)",
        "yaml.unsafe_load(s)",
        "tempfile.mktemp()", "os.system('x')", "subprocess.run('x', shell=True)", "pd.read_pickle(p)",
        "from torch import nn",
    ],
)  # fmt: skip
def test_unsafe_code_is_found(code):
    assert list(find_unsafe_code(ast.parse(code), "x.py"))


@pytest.mark.parametrize(
    "code",
    [
        "import pickletools", "np.load(p, allow_pickle=False)", "yaml.safe_load(s)", "tempfile.mkdtemp()", "model.eval",
        "re.compile('x')", "from .pickles import PickleReader", "platform.system()",
    ],
)  # fmt: skip
def test_safe_code_is_accepted(code):
    assert not list(find_unsafe_code(ast.parse(code), "x.py"))


def test_only_the_restricted_reader_of_convert_parses_pickles():
    """``pickletools``, which only parses, is used in one module, and this module by ``convert`` alone."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if "pickletools" in path.read_text(encoding="utf-8") and "tests" not in path.parts
    }
    assert users == {"training/weights/pickles.py"}
    importers = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if "torch_file import" in path.read_text(encoding="utf-8") and "tests" not in path.parts
    }
    assert importers <= {"training/weights/convert.py", "training/cli/export.py", "training/weights/__init__.py"}
