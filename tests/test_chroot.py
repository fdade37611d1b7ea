"""When ``make-chroot.sh`` makes a chroot, skips it or fails; its programs are stand-ins."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    "id": "echo 0",
    "unshare": 'shift; exec "$@"',
    "apt-get": 'test "$1" != indextargets || echo http://mirror.invalid/debian',
    "debootstrap": 'test ! -e "$4"; echo "$@"; exit 7',
}
#: What the script uses besides, for a machine that has nothing else.
TOOLS = ("sh", "grep", "sort", "head", "tail", "mkdir", "dirname", "flock", "touch", "rm", "true")


@pytest.fixture
def make_chroot(tmp_path):
    """Run the script with stand-ins for programs by name; return its exit code, its output and its log."""

    def make_chroot(path=os.environ["PATH"], **programs):
        for name, code in {**PROGRAMS, **{name.replace("_", "-"): code for name, code in programs.items()}}.items():
            program = tmp_path / "bin" / name
            program.parent.mkdir(exist_ok=True)
            if code is None:
                continue
            program.write_text(f"#!/bin/sh -e\n{code}\n")
            program.chmod(0o755)
        environment = {"PATH": f"{tmp_path / 'bin'}:{path}", "HOME": str(tmp_path)}
        command = ["sh", "resources/setup/make-chroot.sh", "suite", str(tmp_path / "chroots" / "suite")]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        log = tmp_path / "chroots" / "suite.log"
        return done.returncode, done.stdout + done.stderr, log.read_text() if log.exists() else ""

    return make_chroot


@pytest.mark.parametrize(
    ("programs", "reason"),
    [
        ({"id": "echo 1000"}, "only root can make a chroot"),
        ({"unshare": "exit 1"}, "does not allow mount namespaces"),
        ({"apt_get": "exit 0"}, "not configured for a Debian mirror"),
    ],
)
def test_machine_that_cannot_make_one_says_why(make_chroot, programs, reason):
    code, output, _ = make_chroot(**programs)
    assert code == 3
    assert output.startswith("The tests with the QGIS and Python of Debian suite are skipped: ")
    assert reason in output


def test_machine_without_debootstrap_and_network_says_so(make_chroot, tmp_path):
    (tmp_path / "tools").mkdir()
    for name in TOOLS:
        (tmp_path / "tools" / name).symlink_to(shutil.which(name))
    install = 'case "$1" in indextargets) echo http://mirror.invalid/debian ;; install) exit 100 ;; esac'
    code, output, _ = make_chroot(path=tmp_path / "tools", debootstrap=None, apt_get=install)
    assert (code, output.count("debootstrap is not installed")) == (3, 1)


def test_half_made_one_is_removed_and_a_failure_names_the_log(make_chroot, tmp_path):
    folder = tmp_path / "chroots" / "suite"
    (folder / "etc").mkdir(parents=True)
    code, output, log = make_chroot()
    assert code == 3
    assert log.split()[-3:] == ["suite", str(folder), "http://mirror.invalid/debian"]
    assert f"could not be set up; {folder}.log tells why" in output
    assert not folder.exists()
