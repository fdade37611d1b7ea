"""A server on loopback that answers range requests, with faults on demand."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class RangeServer:
    """What a server does and has received.

    Attributes:
        folder: the files that it has.
        fault: called with the number of a GET request, from 0; returns ``503``, ``reset``, ``short``, ``slow``, None.
        requests: method, path and bytes of each answered request.
        address: with ``http://``.
        has_head: whether it answers HEAD.
        count: GET requests.
        authorizations: what requests gave as credentials.
        asked: paths of all requests, also of those for files that it does not have.
    """

    folder: Path
    fault: Callable[[int], object] = lambda _: None
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    address: str = ""
    has_head: bool = True
    count: int = 0
    authorizations: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    @property
    def sent(self) -> int:
        """Bytes of all answers to GET."""
        return sum(size for method, _, size in self.requests if method == "GET")


@contextmanager
def serve_ranges(folder: Path) -> Iterator[RangeServer]:
    """Serve the files of a folder on loopback."""
    state = RangeServer(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self._answer(with_body=False)

        def do_GET(self):
            self._answer(with_body=True)

        def _answer(self, *, with_body):
            name = self.path.partition("?")[0].lstrip("/")
            file = folder / name
            state.asked.add(f"/{name}")
            fault = None
            if with_body:
                fault, state.count = state.fault(state.count), state.count + 1
            if not with_body and not state.has_head:
                self.send_error(405)
                return
            if fault == 503:
                self.send_error(503)
                return
            if fault == "reset":
                self.close_connection = True
                self.connection.close()
                return
            if not file.is_file():
                self.send_error(404)
                return
            data, stamp = file.read_bytes(), file.stat().st_mtime_ns
            total = len(data)
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first, last = (int(found[1]), min(int(found[2] or total - 1), total - 1)) if found else (0, total - 1)
            if first >= total:
                self.send_error(416)
                return
            data = data[first : last + 1]
            self.send_response(206 if found else 200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{stamp:x}-{total:x}"')
            self.send_header("Last-Modified", self.date_time_string(stamp // 10**9))
            if found:
                self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
            self.end_headers()
            state.authorizations.append(self.headers.get("Authorization", ""))
            state.requests.append((self.command, self.path, len(data)))
            if not with_body:
                return
            if fault == "short":
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
            if fault == "slow":
                for start in range(0, len(data), max(1, len(data) // 5)):
                    self.wfile.write(data[start : start + max(1, len(data) // 5)])
                    time.sleep(0.02)
                return
            with suppress(OSError):
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
