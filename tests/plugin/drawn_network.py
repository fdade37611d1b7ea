"""Road layers for the tests of the review: what the engine writes, drawn without it."""

from osgeo import ogr, osr

COLUMNS = {
    "road_id": ogr.OFTInteger64,
    "from_node": ogr.OFTInteger64,
    "to_node": ogr.OFTInteger64,
    "from_kind": ogr.OFTString,
    "to_kind": ogr.OFTString,
    "length": ogr.OFTReal,
    "width": ogr.OFTReal,
    "confidence": ogr.OFTReal,
    "bridged_m": ogr.OFTReal,
    "gap_at": ogr.OFTReal,
}
LEFT, BOTTOM = 500_000.0, 5_000_000.0


def write_roads(path, roads, epsg=32632, layer="roads"):
    """Write ``roads``: (points in metres from the lower left corner, further columns)."""
    crs = osr.SpatialReference()
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    crs.ImportFromEPSG(epsg)
    utm = osr.SpatialReference()
    utm.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    utm.ImportFromEPSG(32632)
    transform = osr.CoordinateTransformation(utm, crs)
    data = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
    table = data.CreateLayer(layer, crs, ogr.wkbLineString)
    for name, kind in COLUMNS.items():
        table.CreateField(ogr.FieldDefn(name, kind))
    table.StartTransaction()
    for number, (points, columns) in enumerate(roads, 1):
        line = ogr.Geometry(ogr.wkbLineString)
        for x, y in points:
            line.AddPoint_2D(LEFT + x, BOTTOM + y)
        feature = ogr.Feature(table.GetLayerDefn())
        values = {"road_id": number, "from_node": 2 * number, "to_node": 2 * number + 1, "from_kind": "junction"}
        values |= {"to_kind": "junction", "length": line.Length(), "width": 6.0, "confidence": 0.95, "bridged_m": 0.0}
        for name, value in {**values, **columns}.items():
            feature.SetField(name, value)
        line.Transform(transform)
        feature.SetGeometry(line)
        table.CreateFeature(feature)
    table.CommitTransaction()
    return path


def draw_doubts():
    """A main road that is sure, and one doubtful road of each kind."""
    return [
        ([(0, 0), (1000, 0)], {"from_node": 1, "to_node": 2, "from_kind": "border", "to_kind": "border"}),
        ([(0, 200), (400, 200)], {"confidence": 0.45}),
        ([(0, 400), (400, 400)], {"bridged_m": 30.0, "gap_at": 320.0}),
        ([(200, 0), (200, 20)], {"from_node": 1, "to_kind": "end"}),  # meets the main road
        ([(600, 300), (600, 12)], {"to_kind": "end"}),  # ends before the main road, which it does not meet
        ([(800, 300), (800, 100)], {"to_kind": "end"}),  # a cul-de-sac far from others
        ([(900, 300), (900, 12)], {"to_kind": "border"}),  # leaves the raster
    ]


def draw_many(count):
    """A grid of ``count`` roads, all of them doubtful for one reason or two."""
    roads = []
    for number in range(count):
        x, y = 100.0 * (number % 100), 100.0 * (number // 100)
        columns = {"confidence": 0.3 + 0.4 * (number * 7919 % count) / count}
        if number % 3 == 0:
            columns |= {"bridged_m": 5.0 + number % 40, "gap_at": 30.0}
        if number % 5 == 0:
            columns["to_kind"] = "end"
        roads.append(([(x, y), (x + 80, y + 10)], columns))
    return roads
