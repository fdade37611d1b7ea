"""A tile server on loopback whose picture is known everywhere: a bright road along both axes of a point."""

import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from qgis.PyQt.QtCore import QBuffer, QByteArray, QIODevice
from qgis.PyQt.QtGui import QColor, QImage, QPainter

#: Half the width of Web Mercator's world in its units.
WORLD = 20037508.342789244
#: Where the roads cross (Web Mercator), near 50 degrees north.
CENTRE = (1_000_000.0, 6_446_275.0)
#: Half the width of a road in Web Mercator's units.
HALF_WIDTH = 8.0


def draw_tile(zoom, column, row):
    """PNG bytes of a tile: dark ground, and red where a road is."""
    edge = 2 * WORLD / 2**zoom
    left, top = -WORLD + column * edge, WORLD - row * edge
    image = QImage(256, 256, QImage.Format.Format_RGB32)
    image.fill(QColor(30, 120, 0))
    painter = QPainter(image)
    x, y = ((CENTRE[0] - left) / edge * 256, (top - CENTRE[1]) / edge * 256)
    half = HALF_WIDTH / edge * 256
    painter.fillRect(math.floor(x - half), 0, math.ceil(2 * half), 256, QColor(245, 0, 0))
    painter.fillRect(0, math.floor(y - half), 256, math.ceil(2 * half), QColor(245, 0, 0))
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data)


class TileServer:
    """Serves ``/z/x/y.png``; ``failures`` of the first requests for each tile fail, ``empty`` ones are not there."""

    def __init__(self, failures=0, empty=False, delay=0.0):
        self.failures, self.empty, self.delay = failures, empty, delay
        self.seen = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def uri(self):
        """The layer's source, as the WMS provider takes it."""
        port = self._server.server_address[1]
        return f"type=xyz&url=http://127.0.0.1:{port}/{{z}}/{{x}}/{{y}}.png&zmin=0&zmax=19"

    def answer(self, request):
        zoom, column, row = (int(part) for part in request.path[1:].removesuffix(".png").split("/"))
        count = self.seen[request.path] = self.seen.get(request.path, 0) + 1
        threading.Event().wait(self.delay)
        if self.empty or count <= self.failures:
            request.send_error(404 if self.empty else 503)
            return
        body = draw_tile(zoom, column, row)
        request.send_response(200)
        request.send_header("Content-Type", "image/png")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
