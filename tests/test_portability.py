"""Static rules for Windows and macOS, where these tests are not run: nothing unguarded that one of them lacks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine", "plugin", "training", "tools", "docs")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
#: Modules of the standard library that Windows lacks.
MISSING_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
#: Windows' modules.
WINDOWS_MODULES = {"msvcrt", "winreg", "_winapi"}
#: Functions and constants that Windows or macOS lacks, or that do something else there (``os.kill(pid, 0)``).
MISSING_NAMES = re.compile(
    r"os\.(kill|killpg|fork|forkpty|setsid|getuid|geteuid|getgid|getegid|getpgid|setpgid|chown|chroot|mkfifo|nice|"
    r"getloadavg|posix_\w+|sched_\w+|sysconf|statvfs|pread|pwrite|sendfile|memfd_create|getrandom|wait\w*|uname|sync|"
    r"register_at_fork|O_(NOFOLLOW|NONBLOCK|CLOEXEC|DIRECTORY|DIRECT|TMPFILE|SYNC|DSYNC)|WNOHANG|startfile)|"
    r"signal\.(SIGKILL|SIGPIPE|SIGHUP|SIGUSR1|SIGUSR2|SIGALRM|SIGCHLD|SIGSTOP|SIGCONT|alarm|setitimer|pause|sigwait\w*|pthread_\w+)|"
    r"select\.\w+|socket\.AF_UNIX|ctypes\.(WinDLL|WinError|windll|get_last_error)|time\.(tzset|clock_gettime\w*)"
)
#: What shows that a function asks for the system first.
GUARD = re.compile(r"sys\.platform|hasattr\(os|except ImportError|def \w+_windows\(")
#: Modules that are only imported on one system.
ONE_SYSTEM = {"engine/fs/windows.py"}
TEXT_CALLS = {"open", "read_text", "write_text", "fdopen"}


def functions(tree: ast.Module) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Yield each function, and each statement of the module or of a class, with the nodes in it."""
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for node in (node for body in bodies for node in body if not isinstance(node, ast.ClassDef)):
        yield node, list(ast.walk(node))


def unguarded(tree: ast.Module) -> list[str]:
    """What a system lacks and is used by a function or statement that does not ask for the system."""
    found = []
    for owner, nodes in functions(tree):
        if GUARD.search(ast.unparse(owner)):
            continue
        for node in nodes:
            if isinstance(node, ast.Attribute) and MISSING_NAMES.fullmatch(name := ast.unparse(node)):
                found.append(name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                found += [name for name in names if name.split(".")[0] in MISSING_MODULES | WINDOWS_MODULES]
    return found


def subprocess_calls(tree: ast.Module) -> Iterator[tuple[str, set[str | None]]]:
    """Yield the name and the keywords of each call that starts a process."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and re.fullmatch(
            r"subprocess\.(run|Popen|call|check_\w+)", ast.unparse(node.func)
        ):
            keywords = {keyword.arg for keyword in node.keywords}
            doubles = {ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg is None}
            yield ast.unparse(node)[:60], keywords | doubles


#: Modules and objects whose functions of these names open no text file.
OTHER_OPENERS = {"os", "rasterio", "gdal", "Image", "zipfile", "archive", "lzma", "webbrowser"}


def text_without_encoding(tree: ast.Module) -> Iterator[str]:
    """Yield the calls that open a text file in the encoding of the system."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        modes = [value.value for value in node.args if isinstance(value, ast.Constant) and isinstance(value.value, str)]
        if name not in TEXT_CALLS or owner in {
            "os",
            "rasterio",
            "gdal",
            "Image",
            "zipfile",
            "archive",
            "lzma",
            "webbrowser",
        }:
            continue
        if name in ("read_text", "write_text"):
            is_text = not any(re.fullmatch(r"utf-?8|ascii", mode) for mode in modes)
        else:
            is_text = bool(modes) and all(re.fullmatch(r"[rwxa]\+?t?", mode) for mode in modes)
            keywords = {keyword.arg for keyword in node.keywords}
            is_text |= name == "open" and not node.args and keywords <= {"newline"} and owner.endswith("path")
        if is_text:
            yield ast.unparse(node)[:60]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_used_unguarded_that_a_system_lacks(package):
    modules = [path for path in MODULES if path.is_relative_to(ROOT / package)]
    assert modules
    found = {path.relative_to(ROOT).as_posix(): unguarded(parse(path)) for path in modules}
    assert {name: names for name, names in found.items() if names and name not in ONE_SYSTEM} == {}


def test_children_do_not_inherit_stdin_and_open_no_window():
    """On Windows a child that inherits a pipe from which its parent reads waits for the end of that read."""
    for path in MODULES:
        name = path.relative_to(ROOT).as_posix()
        for call, keywords in subprocess_calls(parse(path)):
            assert keywords & {"stdin", "input"} or not name.startswith(("engine", "plugin", "training")), (name, call)
            if name.startswith("plugin"):
                assert keywords & {"NO_WINDOW", "OWN_TREE"}, (name, call)


def test_text_files_have_an_encoding():
    """Windows would take its code page, which cannot hold every name."""
    found = {path.relative_to(ROOT).as_posix(): list(text_without_encoding(parse(path))) for path in MODULES}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_the_rules_find_what_they_should():
    code = """
import fcntl
import os, subprocess
def end(pid):
    os.kill(pid, 9)
class Server:
    def run(self):
        subprocess.run(["ls"], check=True)
        return signal.SIGKILL
def guarded():
    if sys.platform != "win32":
        os.killpg(1, 9)
def write(path):
    path.open("w").write("x")
    path.write_text("x")
    open(path, "wb")
    path.read_text("utf-8")
"""
    tree = ast.parse(code)
    assert unguarded(tree) == ["fcntl", "os.kill", "signal.SIGKILL"]
    assert list(subprocess_calls(tree)) == [("subprocess.run(['ls'], check=True)", {"check"})]
    assert sorted(text_without_encoding(tree)) == ["path.open('w')", "path.write_text('x')"]
