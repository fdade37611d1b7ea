"""What is prepared before a command is imported: standard streams, encodings, and a limited address space."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-m", "terraspore")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell of POSIX")


def run_shell(line, **variables):
    """Run a line of a shell in which ``terraspore`` is the program."""
    program = " ".join(COMMAND)
    script = f'set -o pipefail\nterraspore() {{ {program} "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=300, env={**os.environ, **variables}
    )


@pytest.mark.parametrize("command", ["models", "models --json", "--help", "devices --help"])
def test_a_full_disk_behind_stdout_is_an_error_in_a_sentence(command):
    done = run_shell(f"terraspore {command} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "Error: The result cannot be written to stdout: No space left on device.\n"


def test_a_server_whose_events_cannot_be_written_says_so():
    done = run_shell("""echo '{"type": "ping"}' | terraspore serve > /dev/full""")
    assert done.returncode == 2
    assert done.stderr == "Error: The result cannot be written to stdout: No space left on device.\n"


def test_a_process_ends_while_libraries_are_still_being_loaded():
    script = (
        "import atexit, threading; from terraspore import __main__ as program\n"
        "atexit.register(print, 'finalized')\n"
        "threading.Thread(target=threading.Event().wait, name='preload', daemon=True).start()\n"
        "print('written'); program._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "written\n", "")


@pytest.mark.parametrize("command", ["models", "models --json", "--help"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full", "| true"])
def test_streams_without_a_reader_do_not_change_the_exit_code(command, closed):
    done = run_shell(f"terraspore {command} {closed}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "2>&1 | true", ">&- 2>&-"])
@pytest.mark.parametrize("option", ["", "--json"])
def test_an_error_that_nobody_reads_keeps_its_exit_code(closed, option):
    assert run_shell(f"terraspore info /nowhere.tif {option} {closed}").returncode == 2


def test_a_closed_stdout_is_not_given_to_a_file(tmp_path):
    """The first file that is opened gets the lowest free descriptor, and what libraries print goes there."""
    code = (
        "from terraspore.engine.cli.startup import prepare_standard_streams\n"
        "prepare_standard_streams()\n"
        f"print(open({str(tmp_path / 'a')!r}, 'w').fileno() > 2, file=open({str(tmp_path / 'b')!r}, 'w'))\n"
    )
    subprocess.run(["bash", "-c", '"$@" <&- >&- 2>&-', "-", sys.executable, "-c", code], check=True)
    assert Path(tmp_path / "b").read_text() == "True\n"


def test_a_reader_that_goes_in_the_middle_does_not_stop_a_run(make_raster, make_model, tmp_path):
    pixels = [[[20] * 150] * 150] * 3
    image, model, output = make_raster(pixels, dtype="uint8"), make_model(), tmp_path / "c.tif"
    options = f"-o {output} --model {model} --device cpu --runtime onnxruntime"
    done = run_shell(f"terraspore segment {image} {options} --json | head -n 1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["type"]
    assert output.is_file()


def test_names_are_printed_in_every_encoding(tmp_path):
    name = tmp_path / "Straße 道.tif"
    done = run_shell(f"terraspore info '{name}'", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert done.stderr == f"Error: The image {name} does not exist.\n".encode("ascii", "backslashreplace").decode()
    done = run_shell(f"terraspore info '{name}'", LC_ALL="C", PYTHONUTF8="0")  # in which files cannot have the name
    assert done.returncode == 2
    assert "or use a UTF-8 locale" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf8_is_refused_before_the_work(tmp_path):
    for command in ("vectorize roads a.tif -o $name.gpkg", "segment a.tif -o $name.tif", "info $name.tif"):
        done = run_shell(f"cd {tmp_path}; name=$(printf 'a\\xff'); terraspore {command}")
        assert done.returncode == 2
        assert "is not UTF-8; rename the file or folder" in done.stderr


@pytest.mark.parametrize("command", ["info", "extract roads -o a.gpkg", "vectorize roads -o a.gpkg"])
def test_a_message_of_gdal_that_is_not_utf8_is_one_sentence(tmp_path, command):
    band = b'<VRTRasterBand band="1" dataType="caf\xe9"/>'
    (tmp_path / "a.vrt").write_bytes(b'<VRTDataset rasterXSize="9" rasterYSize="9">%s</VRTDataset>' % band)
    done = run_shell(f"cd {tmp_path}; terraspore {command} a.vrt")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "Invalid dataType = caf\N{REPLACEMENT CHARACTER}" in line


def test_no_warning_of_a_library_reaches_a_person(tmp_path):
    module = tmp_path / "noisy.py"
    module.write_text(
        "import warnings, click\n"
        "@click.command()\n"
        "def noisy():\n"
        "    warnings.warn('for developers', DeprecationWarning)\n"
        "    warnings.warn('for developers', UserWarning)\n"
    )
    code = (
        "import sys, terraspore.__main__ as program\n"
        "program.TRAINING_COMMANDS['noisy'] = ('noisy', 'noisy', '')\n"
        "sys.argv[1:] = ['noisy']\n"
        "program.main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    environment.pop("PYTHONWARNINGS", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_while_libraries_are_loaded_ends_with_a_sentence():
    """The import is held where it begins, and goes on where the signal is ignored."""
    code = (
        "import os, signal, sys, importlib.abc, terraspore.__main__ as program\n"
        "class Hold(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'click':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Hold())\n"
        "sys.argv[1:] = ['models']\n"
        "program.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == "Error: Cancelled; nothing was written.\n"


@pytest.mark.parametrize("encoding", ["cp1252", "cp936", "ascii"])
def test_what_a_code_page_of_windows_lacks_is_escaped(tmp_path, encoding):
    """A console has a code page unless it is told otherwise; files have names of any language."""
    name = "Straße 道路 🛣.tif"
    done = subprocess.run(
        [*COMMAND, "info", str(tmp_path / name)], capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}
    )
    assert done.returncode == 2
    assert name.encode(encoding, "backslashreplace") in done.stderr
    done = subprocess.run([*COMMAND, "models"], capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    events = subprocess.run(
        [*COMMAND, "info", str(tmp_path / name), "--json"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert name in json.loads(events.stdout)["text"]


enforces_limit = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not enforce the limit")

#: Seconds after which a program that hangs fails its test.
DEADLINE = 300.0


def run_limited(kilobytes, *command):
    line = f'ulimit -v {kilobytes}; exec "$@"'
    words = ["bash", "-c", line, "-", sys.executable, *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE)


@enforces_limit
@pytest.mark.parametrize("kilobytes", [800_000, 1_600_000])
def test_a_limit_that_is_too_low_is_refused_before_the_work(kilobytes):
    done = run_limited(kilobytes, "-m", "terraspore", "info", "a.tif", "--json")
    assert done.returncode == 2, done.stderr
    event = json.loads(done.stdout)
    assert "2 GB are needed" in event["text"]
    assert "ulimit -v" in event["hint"]


@enforces_limit
def test_under_a_sufficient_limit_libraries_are_loaded_with_one_thread_before_the_work():
    code = (
        "import os, sys\n"
        "from terraspore.engine.cli.startup import prepare_address_space\n"
        "prepare_address_space()\n"
        "print(os.environ['OPENBLAS_NUM_THREADS'], 'scipy.linalg' in sys.modules)\n"
    )
    done = run_limited(4_000_000, "-c", code)
    assert done.stdout == "1 True\n", done.stderr


@enforces_limit
def test_an_import_that_hangs_with_pythons_lock_ends_the_process(tmp_path):
    """No thread of Python runs any more, and no handler of a signal."""
    (tmp_path / "hanging.py").write_text("import ctypes\nctypes.PyDLL(None).pause()\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from terraspore.engine.cli import startup\n"
        "startup._LIBRARIES, startup._TIMEOUT = ('hanging',), 1.0\n"
        "startup.prepare_address_space()\n"
    )
    assert run_limited(4_000_000, "-c", code).returncode == 1
