"""Nothing in the repository runs what a file holds, and temporary files are private: looked up in the source."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Modules that run what they read, or that read no format of ours. ``pickletools`` only parses.
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
#: What may run code or load a pickle, as a method or function of whatever module.
ATTRIBUTES = {
    "unsafe_load", "full_load", "UnsafeLoader", "FullLoader", "read_pickle", "to_pickle", "tempnam", "tmpnam",
    "getoutput", "getstatusoutput",
}  # fmt: skip
#: Tests write pickles, with PyTorch too, to see them refused or read without being carried out.
MAY_WRITE_PICKLES = {
    "tests/training/weights/make_data.py",
    "tests/training/weights/test_torch_file.py",
    "tests/fuzz/targets.py",
}


def sources() -> list[Path]:
    """Every Python file that belongs to the repository."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]
    folders = ("engine", "plugin", "training", "tests", "tools", "docs")
    return [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]


def offences(tree: ast.AST, name: str) -> Iterator[str]:
    """What in a module could run what a file holds, or leave temporary files open to others."""
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
            yield from (f"{where}: {what}" for what in _of_call(node))


def _of_call(node: ast.Call) -> Iterator[str]:
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


def test_nothing_runs_what_a_file_holds():
    found = []
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        for offence in offences(ast.parse(path.read_text(encoding="utf-8")), name):
            if name not in MAY_WRITE_PICKLES or not offence.endswith(("pickle", "torch")):
                found.append(offence)
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
def test_the_search_finds(code):
    assert list(offences(ast.parse(code), "x.py"))


@pytest.mark.parametrize(
    "code",
    [
        "import pickletools", "np.load(p, allow_pickle=False)", "yaml.safe_load(s)", "tempfile.mkdtemp()", "model.eval",
        "re.compile('x')", "from .pickles import PickleReader", "platform.system()",
    ],
)  # fmt: skip
def test_the_search_lets_through(code):
    assert not list(offences(ast.parse(code), "x.py"))


def test_only_the_restricted_reader_of_convert_knows_pickles():
    """``pickletools``, which parses and carries nothing out, is used in one module, and that by ``convert`` alone."""
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
    assert importers <= {"training/weights/convert.py", "training/cli/convert.py", "training/weights/__init__.py"}
