"""Two network namespaces that stand for two machines, joined by a cable of their own."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

_SUBNET = "10.201.78"


@contextmanager
def two_hosts() -> Iterator[tuple[tuple[list[str], str], tuple[list[str], str]]]:
    """Yield for each host the beginning of a command that runs there, and its address; skip the test without root."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the command ip")
    names = [f"tst{secrets.token_hex(2)}{letter}" for letter in "ab"]
    with ExitStack() as stack:
        for name in names:
            if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
                pytest.skip("network namespaces cannot be made here, as in a container")
            stack.callback(_ip, "netns", "del", name)
        _ip("link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1])
        for number, name in enumerate(names, 1):
            _ip("-n", name, "addr", "add", f"{_SUBNET}.{number}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        first, second = ((["ip", "netns", "exec", name], f"{_SUBNET}.{n}") for n, name in enumerate(names, 1))
        yield first, second


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
