"""WMTS, ArcGIS MapServer and WCS on loopback, with the same picture as the tile server's."""

import json
import re
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from osgeo import gdal, osr
from qgis.core import QgsDataSourceUri
from tile_server import CENTRE, HALF_WIDTH, WORLD, LoopbackServer, draw_tile, reply

#: Zoom levels of the tiled services, and metres of one pixel at level 0.
LEVELS = range(14, 20)
PIXEL_0 = 2 * WORLD / 256
#: The part of the world that the coverage shows: half its edge around the crossing, in Web Mercator's units.
COVERED = 2000.0

_MATRIX = """<TileMatrix><ows:Identifier>{level}</ows:Identifier><ScaleDenominator>{scale}</ScaleDenominator>
<TopLeftCorner>-{world} {world}</TopLeftCorner><TileWidth>256</TileWidth><TileHeight>256</TileHeight>
<MatrixWidth>{count}</MatrixWidth><MatrixHeight>{count}</MatrixHeight></TileMatrix>"""
_WMTS = """<?xml version="1.0"?>
<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1"
 xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">
<ows:OperationsMetadata><ows:Operation name="GetTile"><ows:DCP><ows:HTTP><ows:Get xlink:href="{root}/wmts?">
<ows:Constraint name="GetEncoding"><ows:AllowedValues><ows:Value>KVP</ows:Value></ows:AllowedValues></ows:Constraint>
</ows:Get></ows:HTTP></ows:DCP></ows:Operation></ows:OperationsMetadata>
<Contents><Layer><ows:Title>roads</ows:Title><ows:Identifier>roads</ows:Identifier>
<ows:WGS84BoundingBox><ows:LowerCorner>-180 -85</ows:LowerCorner><ows:UpperCorner>180 85</ows:UpperCorner>
</ows:WGS84BoundingBox><Style isDefault="true"><ows:Identifier>default</ows:Identifier></Style>
<Format>image/png</Format><TileMatrixSetLink><TileMatrixSet>world</TileMatrixSet></TileMatrixSetLink></Layer>
<TileMatrixSet><ows:Identifier>world</ows:Identifier><ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857</ows:SupportedCRS>
{matrices}</TileMatrixSet></Contents></Capabilities>"""

_GET = """<DCPType><HTTP><Get><OnlineResource xlink:href="{root}/wcs?"/></Get></HTTP></DCPType>"""
_ENVELOPE = """<gml:pos>{west} {south}</gml:pos><gml:pos>{east} {north}</gml:pos>"""
_WCS = """<?xml version="1.0"?>
<WCS_Capabilities version="1.0.0" xmlns="http://www.opengis.net/wcs" xmlns:xlink="http://www.w3.org/1999/xlink"
 xmlns:gml="http://www.opengis.net/gml"><Service><name>WCS</name><label>Test</label></Service>
<Capability><Request>
<GetCapabilities>{get}</GetCapabilities><DescribeCoverage>{get}</DescribeCoverage><GetCoverage>{get}</GetCoverage>
</Request></Capability><ContentMetadata><CoverageOfferingBrief><name>roads</name><label>roads</label>
<lonLatEnvelope srsName="urn:ogc:def:crs:OGC:1.3:CRS84">{degrees}</lonLatEnvelope>
</CoverageOfferingBrief></ContentMetadata></WCS_Capabilities>"""
_COVERAGE = """<?xml version="1.0"?>
<CoverageDescription version="1.0.0" xmlns="http://www.opengis.net/wcs" xmlns:gml="http://www.opengis.net/gml">
<CoverageOffering><name>roads</name><label>roads</label>
<lonLatEnvelope srsName="urn:ogc:def:crs:OGC:1.3:CRS84">{degrees}</lonLatEnvelope>
<domainSet><spatialDomain><gml:Envelope srsName="EPSG:3857">{metres}</gml:Envelope>
<gml:RectifiedGrid dimension="2"><gml:limits><gml:GridEnvelope><gml:low>0 0</gml:low><gml:high>{last} {last}</gml:high>
</gml:GridEnvelope></gml:limits><gml:axisName>x</gml:axisName><gml:axisName>y</gml:axisName>
<gml:origin><gml:pos>{west} {north}</gml:pos></gml:origin>
<gml:offsetVector>1 0</gml:offsetVector><gml:offsetVector>0 -1</gml:offsetVector></gml:RectifiedGrid>
</spatialDomain></domainSet><rangeSet><RangeSet><name>bands</name><label>bands</label></RangeSet></rangeSet>
<supportedCRSs><requestResponseCRSs>EPSG:3857</requestResponseCRSs><nativeCRSs>EPSG:3857</nativeCRSs></supportedCRSs>
<supportedFormats nativeFormat="GeoTIFF"><formats>GeoTIFF</formats></supportedFormats>
<supportedInterpolations><interpolationMethod>nearest neighbor</interpolationMethod></supportedInterpolations>
</CoverageOffering></CoverageDescription>"""


def wmts_capabilities(root):
    matrices = (
        _MATRIX.format(level=level, scale=PIXEL_0 / 2**level / 0.00028, world=WORLD, count=2**level) for level in LEVELS
    )
    return _WMTS.format(root=root, matrices="".join(matrices))


def arcgis_service():
    """What a cached MapServer says of itself."""
    reference = {"wkid": 102100, "latestWkid": 3857}
    extent = {"xmin": -WORLD, "ymin": -WORLD, "xmax": WORLD, "ymax": WORLD, "spatialReference": reference}
    lods = [
        {"level": level, "resolution": PIXEL_0 / 2**level, "scale": PIXEL_0 / 2**level / 0.00028} for level in LEVELS
    ]
    origin = {"x": -WORLD, "y": WORLD}
    tiles = {"rows": 256, "cols": 256, "dpi": 96, "format": "PNG", "origin": origin, "lods": lods}
    return {
        "currentVersion": 10.9, "mapName": "roads", "capabilities": "Map,Tilemap", "singleFusedMapCache": True,
        "spatialReference": reference, "fullExtent": extent, "initialExtent": extent, "units": "esriMeters",
        "tileInfo": {**tiles, "spatialReference": reference}, "layers": [{"id": 0, "name": "roads"}],
        "supportedImageFormatTypes": "PNG32,PNG", "name": "roads", "extent": extent,
    }  # fmt: skip


def coverage_texts():
    """Envelopes of the coverage in degrees and in metres, and the rest of its description."""
    west, east = CENTRE[0] - COVERED, CENTRE[0] + COVERED
    south, north = CENTRE[1] - COVERED, CENTRE[1] + COVERED
    metres = _ENVELOPE.format(west=west, south=south, east=east, north=north)
    degrees = _ENVELOPE.format(west=8.965, south=49.986, east=9.002, north=50.011)
    return {"degrees": degrees, "metres": metres, "west": west, "north": north, "last": int(2 * COVERED) - 1}


def draw_coverage(box, width, height):
    """A GeoTIFF of three bands for a rectangle (xmin, ymin, xmax, ymax) in Web Mercator."""
    left, bottom, right, top = box
    step_x, step_y = (right - left) / width, (top - bottom) / height
    on_column = [abs(left + (column + 0.5) * step_x - CENTRE[0]) <= HALF_WIDTH for column in range(width)]
    across = bytes([245]) * width
    along = bytes(245 if on else 30 for on in on_column)
    rows = (abs(top - (row + 0.5) * step_y - CENTRE[1]) <= HALF_WIDTH for row in range(height))
    red = b"".join(across if on else along for on in rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.tif"
        image = gdal.GetDriverByName("GTiff").Create(str(path), width, height, 3, gdal.GDT_Byte)
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(3857)
        image.SetProjection(reference.ExportToWkt())
        image.SetGeoTransform((left, step_x, 0.0, top, 0.0, -step_y))
        for band, pixels in enumerate((red, bytes([120]) * len(red), bytes(len(red))), start=1):
            image.GetRasterBand(band).WriteRaster(0, 0, width, height, pixels)
        image.FlushCache()
        del image
        return path.read_bytes()


class MapServices(LoopbackServer):
    """The three services; ``seen`` holds the paths of requests for pixels."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def source(self, kind):
        """The provider and the layer's source of ``wmts``, ``arcgis`` or ``wcs``, as QGIS's own dialogs make them."""
        if kind == "wmts":
            url = quote(f"{self.root}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities", safe=":/")
            parts = "crs=EPSG:3857&dpiMode=7&format=image/png&layers=roads&styles=default&tileMatrixSet=world"
            return "wms", f"{parts}&url={url}"
        if kind == "arcgis":
            return "arcgismapserver", f"crs='EPSG:3857' format='PNG32' layer='' url='{self.root}/arcgis/MapServer'"
        uri = QgsDataSourceUri()
        parts = {"crs": "EPSG:3857", "format": "GeoTIFF", "identifier": "roads", "version": "1.0.0"}
        for name, value in {**parts, "cache": "PreferNetwork", "url": f"{self.root}/wcs?"}.items():
            uri.setParam(name, value)
        return "wcs", bytes(uri.encodedUri()).decode()

    def answer(self, request):
        path = urlsplit(request.path)
        query = {name.lower(): values[0] for name, values in parse_qs(path.query).items()}
        kind = path.path.split("/")[1]
        body, content = {"wmts": self._wmts, "arcgis": self._arcgis, "wcs": self._wcs}[kind](path.path, query)
        if content.startswith("image"):
            self.seen.append(request.path)
        reply(request, body, content)

    def _wmts(self, _path, query):
        if query["request"].lower() == "getcapabilities":
            return wmts_capabilities(self.root).encode(), "text/xml"
        return draw_tile(int(query["tilematrix"]), int(query["tilecol"]), int(query["tilerow"])), "image/png"

    def _arcgis(self, path, _query):
        tile = re.search(r"/tile/(\d+)/(\d+)/(\d+)", path)
        if tile is None:
            return json.dumps(arcgis_service()).encode(), "application/json"
        level, row, column = map(int, tile.groups())
        return draw_tile(level, column, row), "image/png"

    def _wcs(self, _path, query):
        wanted = query["request"].lower()
        if wanted == "getcapabilities":
            return _WCS.format(get=_GET.format(root=self.root), **coverage_texts()).encode(), "text/xml"
        if wanted == "describecoverage":
            return _COVERAGE.format(**coverage_texts()).encode(), "text/xml"
        box = tuple(float(value) for value in query["bbox"].split(","))
        return draw_coverage(box, int(query["width"]), int(query["height"])), "image/tiff"
