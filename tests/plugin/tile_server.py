"""A tile server on loopback whose picture is known everywhere: a bright road along both axes of a point."""

import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from osgeo import gdal
from qgis.PyQt.QtCore import QBuffer, QByteArray, QIODevice
from qgis.PyQt.QtGui import QColor, QImage, QPainter

#: Half the width of Web Mercator's world in its units.
WORLD = 20037508.342789244
#: Where the roads cross (Web Mercator), near 50 degrees north.
CENTRE = (1_000_000.0, 6_446_275.0)
#: Half the width of a road in Web Mercator's units.
HALF_WIDTH = 8.0
CAPABILITIES = """<?xml version="1.0"?>
<WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms" xmlns:xlink="http://www.w3.org/1999/xlink">
<Service><Name>WMS</Name><Title>Test</Title></Service>
<Capability><Request>
<GetCapabilities><Format>text/xml</Format><DCPType><HTTP><Get>
<OnlineResource xlink:href="http://127.0.0.1:{port}/wms?"/></Get></HTTP></DCPType></GetCapabilities>
<GetMap><Format>image/png</Format><DCPType><HTTP><Get>
<OnlineResource xlink:href="http://127.0.0.1:{port}/wms?"/></Get></HTTP></DCPType></GetMap>
</Request><Layer><Title>all</Title><CRS>EPSG:3857</CRS>
<Layer><Name>roads</Name><Title>roads</Title><CRS>EPSG:3857</CRS>
<EX_GeographicBoundingBox><westBoundLongitude>-180</westBoundLongitude><eastBoundLongitude>180</eastBoundLongitude>
<southBoundLatitude>-85</southBoundLatitude><northBoundLatitude>85</northBoundLatitude></EX_GeographicBoundingBox>
<BoundingBox CRS="EPSG:3857" minx="-{world}" miny="-{world}" maxx="{world}" maxy="{world}"/></Layer>
</Layer></Capability></WMS_Capabilities>"""


def get_tile_box(zoom, column, row):
    """Return (xmin, ymin, xmax, ymax) in Web Mercator of a tile of the usual scheme."""
    edge = 2 * WORLD / 2**zoom
    left, top = -WORLD + column * edge, WORLD - row * edge
    return left, top - edge, left + edge, top


def draw_tile(zoom, column, row):
    """PNG bytes of a tile of the usual scheme."""
    return draw(get_tile_box(zoom, column, row), 256, 256)


def draw(box, width, height):
    """PNG bytes of a rectangle (xmin, ymin, xmax, ymax) in Web Mercator: dark ground, and red where a road is."""
    left, bottom, right, top = box
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(30, 120, 0))
    painter = QPainter(image)
    scale_x, scale_y = width / (right - left), height / (top - bottom)
    x, y = (CENTRE[0] - left) * scale_x, (top - CENTRE[1]) * scale_y
    half_x, half_y = HALF_WIDTH * scale_x, HALF_WIDTH * scale_y
    painter.fillRect(math.floor(x - half_x), 0, math.ceil(2 * half_x), height, QColor(245, 0, 0))
    painter.fillRect(0, math.floor(y - half_y), width, math.ceil(2 * half_y), QColor(245, 0, 0))
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data)


def reply(request, body, kind):
    request.send_response(200)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


class LoopbackServer:
    """A server on loopback until it is closed; what it answers is ``answer(request)`` of who inherits."""

    def __init__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.root = f"http://127.0.0.1:{self.port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class TileServer(LoopbackServer):
    """Serves ``/z/x/y.png``.

    Args:
        failures: how many of the first requests for each tile fail.
        empty: whether there are no tiles.
        hold: whether answers wait until ``released`` is set.
        draw_tile: makes the PNG bytes of (zoom, column, row).
    """

    def __init__(self, failures=0, empty=False, hold=False, draw_tile=draw_tile):
        super().__init__()
        self.draw_tile = draw_tile
        self.failures, self.empty = failures, empty
        self.released = threading.Event()
        if not hold:
            self.released.set()
        self.seen = {}

    def close(self):
        self.released.set()
        super().close()

    @property
    def uri(self):
        """The layer's source, as the WMS provider takes it."""
        return f"type=xyz&url={self.root}/{{z}}/{{x}}/{{y}}.png&zmin=0&zmax=19"

    @property
    def wms(self):
        """The source of the same picture as a WMS, where the client chooses box and size."""
        return f"crs=EPSG:3857&format=image/png&layers=roads&styles=&url={self.root}/wms?"

    def answer_wms(self, request):
        query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        if query.get("request", "").lower() == "getcapabilities":
            reply(request, CAPABILITIES.format(port=self.port, world=WORLD).encode(), "text/xml")
            return
        self.seen[request.path] = self.seen.get(request.path, 0) + 1
        box = tuple(float(value) for value in query["bbox"].split(","))
        reply(request, draw(box, int(query["width"]), int(query["height"])), "image/png")

    def answer(self, request):
        if request.path.startswith("/wms"):
            self.answer_wms(request)
            return
        zoom, column, row = (int(part) for part in request.path[1:].removesuffix(".png").split("/"))
        count = self.seen[request.path] = self.seen.get(request.path, 0) + 1
        self.released.wait()
        if self.empty or count <= self.failures:
            request.send_error(404 if self.empty else 503)
            return
        reply(request, self.draw_tile(zoom, column, row), "image/png")


class ImageTiles:
    """Draws the tiles of a raster of one band: ``TileServer(draw_tile=ImageTiles(path).draw)``."""

    def __init__(self, path):
        source = gdal.Open(str(path))
        _, _, mean, deviation = source.GetRasterBand(1).ComputeStatistics(False)
        scale = [[mean - 2 * deviation, mean + 2 * deviation, 1, 255]]
        options = {"bandList": [1, 1, 1], "outputType": gdal.GDT_Byte, "scaleParams": scale}
        self._image = gdal.Translate("", source, format="MEM", **options)
        self._lock = threading.Lock()  # GDAL's datasets are for one thread

    def draw(self, zoom, column, row):
        """PNG bytes of a tile of the usual scheme; transparent outside of the raster."""
        options = {"outputBounds": get_tile_box(zoom, column, row), "width": 256, "height": 256, "dstAlpha": True}
        name = f"/vsimem/{zoom}-{column}-{row}.png"
        with self._lock:
            tile = gdal.Warp("", self._image, format="MEM", dstSRS="EPSG:3857", resampleAlg="average", **options)
            gdal.GetDriverByName("PNG").CreateCopy(name, tile)
            data = bytes(gdal.VSIGetMemFileBuffer_unsafe(name))
            gdal.Unlink(name)
        return data
