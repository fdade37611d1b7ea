"""A port for a server that a test starts in another process and cannot ask for its port."""

from __future__ import annotations

import random
import socket

#: Below the ports that systems give to clients, and to servers which bind port 0: those of other tests, for example.
_PORTS = range(10_000, 20_000)


def find_free_port() -> int:
    """Return a port that is free now and, until the server binds it, not given to a program that asks for any."""
    numbers = random.SystemRandom()
    while True:
        port = numbers.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        return port
