"""The recorded commands: their arguments and the files whose content is recorded.

Paths are relative to the folder with the inputs (see ``inputs``). Commands may read what earlier ones write.
"""

from __future__ import annotations

from dataclasses import dataclass

ONNX = "--device cpu --runtime onnxruntime --precision float32 --threads 1"
OPENVINO = "--device cpu --runtime openvino --precision float32 --threads 1"
#: Options of a long run.
SMALL_TILES = "--tta --tile 64 --overlap 32"
ROADS, COVER = "--model roads-lednet", "--model landcover-lednet"


@dataclass(frozen=True)
class Command:
    """A command line and which of its results are recorded.

    Attributes:
        name: key of the recording.
        line: the arguments after the program's name, separated by spaces.
        files: written files and folders whose content is recorded.
        network: whether a network is run, because its last digits depend on the processor.
        summary: the only values of the summary to record, if the others, and the messages, depend on the machine.
    """

    name: str
    line: str
    files: tuple[str, ...] = ()
    network: bool = False
    summary: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """The arguments after the program's name."""
        return self.line.split()


#: Each runs in its own process, with or without --json.
PROCESSES = (
    Command("version", "--version"),
    Command("info for a person", "info town.tif"),
    Command("info as json", "info sixteen.tif --resolution 1 --json"),
    Command(
        "extract roads",
        f"extract roads town.tif -o roads.gpkg --probability roads.tif {ROADS} {ONNX} --json",
        ("roads.gpkg", "roads.tif"),
        network=True,
    ),
    Command(
        "vectorize roads for a person",
        "vectorize roads probability.tif -o person.gpkg --no-areas",
        ("person.gpkg",),
    ),
    Command("a mistake as a sentence", "info none.tif"),
    Command("a mistake as json", "info none.tif --json"),
    Command("an unknown command", "nonsense"),
)

#: All run in one server, in this order.
SERVED = (
    Command("info of degrees", "info degrees.tif"),
    Command("info of a rotated image", "info rotated.tif --resolution 2"),
    Command("info of an image without a place", "info unplaced.tif --pixel-size 0.5"),
    Command("info of classes", "info classes.tif"),
    Command("plan", f"plan town.tif --tile 128 --overlap 32 {ROADS} {ONNX}"),
    Command("plan of a task", f"plan close.tif --task landcover --extent 500002,4649760,500025,4649774 {ONNX}"),
    Command("models", "models"),
    Command(
        "devices",
        "devices --threads 1",
        summary=("openvino on cpu.works", "onnxruntime on cpu.works", "onnxruntime on cpu.precision"),
    ),
    Command("install a folder", "install plain-model --to installed --runtime onnxruntime", ("installed",)),
    Command(
        "install a graph",
        "install graph/net.onnx --to bare --task landcover --classes soil,water,forest --resolution 1"
        " --scale 0.004 --activation softmax --tile 64 --overlap 16 --runtime onnxruntime",
        ("bare",),
    ),
    Command(
        "roads of 16 bits in small tiles",
        f"extract roads sixteen.tif -o sixteen.fgb --probability sixteen-roads.tif --bands 1,2,3 --resolution 1.25"
        f" --tile 128 --overlap 32 --threshold 0.4 --no-areas {ROADS} {ONNX}",
        ("sixteen.fgb", "sixteen-roads.tif"),
        network=True,
    ),
    Command(
        "roads of degrees with augmentation",
        f"extract roads degrees.tif -o degrees.geojson --tta --tile 128 --overlap 32 {ROADS} {ONNX}",
        ("degrees.geojson", "degrees_road_nodes.geojson", "degrees_road_areas.geojson"),
        network=True,
    ),
    Command(
        "roads of an extent",
        f"extract roads town.tif -o extent.gpkg --extent 500050,4649500,500350,4649750 --probability extent.tif"
        f" {ROADS} {ONNX}",
        ("extent.gpkg", "extent.tif"),
        network=True,
    ),
    Command(
        "roads of an area",
        f"extract roads town.tif -o inside.gpkg --area area.gpkg --tile 96 --overlap 32 --probability inside.tif"
        f" {ROADS} {ONNX}",
        ("inside.gpkg", "inside.tif"),
        network=True,
    ),
    Command(
        "roads of a south-up image",
        f"extract roads southup.tif -o southup.gpkg --memory 4000 {ROADS} {ONNX}",
        ("southup.gpkg",),
        network=True,
    ),
    Command(
        "roads of an image without a place",
        f"extract roads unplaced.tif -o unplaced.geojson --pixel-size 1 {ROADS} {ONNX}",
        ("unplaced.geojson",),
        network=True,
    ),
    Command(
        "land cover",
        f"extract landcover close.tif -o cover.gpkg --classes cover.tif --confidence cover-confidence.tif"
        f" --probability cover-probability.tif --minimum-area 0.5 {COVER} {ONNX}",
        ("cover.gpkg", "cover.tif", "cover-confidence.tif", "cover-probability.tif"),
        network=True,
    ),
    Command(
        "segment with a plain model",
        f"segment large.tif --model plain-model -o plain.tif --vectors plain.gpkg --confidence plain-confidence.tif"
        f" --probability plain-probability.tif {ONNX}",
        ("plain.tif", "plain.gpkg", "plain-confidence.tif", "plain-probability.tif"),
        network=True,
    ),
    Command(
        "segment roads in OpenVINO",
        f"segment rotated.tif -o rotated-roads.tif --tile 128 --overlap 32 --threshold 0.4 {ROADS} {OPENVINO}",
        ("rotated-roads.tif",),
        network=True,
    ),
    Command(
        "roads of two bands",
        f"extract roads two-bands.tif -o two-bands.geojson --resolution 1 {ROADS} {ONNX}",
        ("two-bands.geojson",),
        network=True,
    ),
    Command(
        "unbroken",
        f"extract roads town.tif -o unbroken.gpkg --probability unbroken.tif {SMALL_TILES} {ROADS} {ONNX}",
        ("unbroken.gpkg", "unbroken.tif"),
        network=True,
    ),
    Command("vectorize roads", "vectorize roads probability.tif -o lines.gpkg", ("lines.gpkg",)),
    Command(
        "vectorize roads with every option",
        "vectorize roads probability.tif -o options.gpkg --threshold 0.4 --strong 0.6 --blur 1 --hole-area 50"
        " --max-width 30 --merge-parallel 8 --spur 10 --gap 70 --gap-angle 30 --min-length 40 --smooth 2 --simplify 0.5"
        " --minimum-area 20 --area-simplify 0 --tile 128 --threads 2",
        ("options.gpkg",),
    ),
    Command(
        "vectorize roads in another CRS",
        "vectorize roads share.tif -o other.geojson --crs EPSG:4326",
        ("other.geojson", "other_road_nodes.geojson", "other_road_areas.geojson"),
    ),
    Command("vectorize a mask", "vectorize roads mask.tif -o mask.shp --no-areas", ("mask.shp", "mask_road_nodes.shp")),
    Command(
        "vectorize roads as an update",
        "vectorize roads probability.tif -o update.gpkg --update existing.gpkg --update-distance 5",
        ("update.gpkg",),
    ),
    Command("vectorize land cover", "vectorize landcover classes.tif -o areas.gpkg", ("areas.gpkg",)),
    Command(
        "vectorize land cover with every option",
        "vectorize landcover classes.tif -o areas-options.gpkg --confidence confidence.tif --minimum-area 40"
        " --class-minimum-area 1=120 --protect 3 --simplify 2 --no-smooth --name 0=road --name 3=tree --nodata 255"
        " --strip 64",
        ("areas-options.gpkg",),
    ),
    Command("vectorize one class", "vectorize landcover classes.tif -o one.fgb --only 2", ("one.fgb",)),
    Command("find out that it is roads", "vectorize probability.tif -o auto.gpkg --threshold 0.6", ("auto.gpkg",)),
    Command("find out that it is land cover", "vectorize classes.tif -o auto.geojson --simplify 3", ("auto.geojson",)),
    Command("compare roads", "compare lines.gpkg streets.gpkg --truth-layer streets --buffer 4"),
    Command("compare class rasters", "compare classes.tif other-classes.tif"),
    Command("compare masks", "compare probability.tif moved-mask.tif --threshold 0.5"),
    Command("compare a coverage", "compare areas.gpkg classes.tif"),
    Command(
        "chips of lines",
        "chips town.tif streets.gpkg --out chips --width-field width_m --size 128 --validation 0.3",
        ("chips",),
    ),
    Command(
        "chips of polygons",
        "chips sixteen.tif areas.gpkg --out cover-chips --field class_id --classes 0,1,2,3 --size 96 --stride 64"
        " --bands 4,2,1 --resolution 2",
        ("cover-chips",),
    ),
)

#: Errors of the user: each ends with exit code 2 and leaves no files.
MISTAKES = (
    Command("image that is not there", "extract roads none.tif -o x.gpkg"),
    Command("image that is text", "info text.tif"),
    Command("image that is cut off", f"extract roads cut.tif -o x.gpkg {ROADS} {ONNX}"),
    Command("image without a pixel size", f"extract landcover unplaced.tif -o x.gpkg {COVER} {ONNX}"),
    Command("extent outside", f"extract roads town.tif -o x.gpkg --extent 0,0,10,10 {ROADS} {ONNX}"),
    Command("extent of three numbers", "extract roads town.tif -o x.gpkg --extent 1,2,3"),
    Command("area that is not there", f"extract roads town.tif -o x.gpkg --area none.gpkg {ROADS} {ONNX}"),
    Command("band that is not there", f"extract roads town.tif -o x.gpkg --bands 1,2,9 {ROADS} {ONNX}"),
    Command("threshold above 1", "extract roads town.tif -o x.gpkg --threshold 2"),
    Command("overlap as large as the tile", f"extract roads town.tif -o x.gpkg --tile 64 --overlap 64 {ROADS} {ONNX}"),
    Command("unknown model", f"extract roads town.tif -o x.gpkg --model none {ONNX}"),
    Command("model of another task", f"extract roads town.tif -o x.gpkg --model plain-model {ONNX}"),
    Command("unknown runtime", f"extract roads town.tif -o x.gpkg --runtime none {ROADS}"),
    Command("unknown format", f"extract roads town.tif -o x.docx {ROADS} {ONNX}"),
    Command("raster of the wrong suffix", "segment town.tif -o x.png"),
    Command("output that is the input", f"segment town.tif -o town.tif {ROADS} {ONNX}"),
    Command("folder that is not there", "vectorize roads probability.tif -o nowhere/x.gpkg"),
    Command("unknown CRS", "vectorize roads probability.tif -o x.gpkg --crs EPSG:nonsense"),
    Command("band of a raster that is not there", "vectorize roads probability.tif -o x.gpkg --band 9"),
    Command("strong below the threshold", "vectorize roads probability.tif -o x.gpkg --threshold 0.7 --strong 0.3"),
    Command("update with nothing", "vectorize roads probability.tif -o x.gpkg --update none.gpkg"),
    Command("classes that are numbers between", "vectorize landcover share.tif -o x.gpkg"),
    Command("class without a value", "vectorize landcover classes.tif -o x.gpkg --name 3"),
    Command("layer that is not there", "compare lines.gpkg streets.gpkg --layer none"),
    Command("model that is none", "install text.tif --to x"),
    Command("model that is there already", "install plain-model --to installed"),
    Command("option that is not there", "info town.tif --nonsense"),
)

#: Commands whose options are recorded by name.
HELP = (
    "",
    "extract",
    "extract roads",
    "extract landcover",
    "segment",
    "plan",
    "vectorize",
    "vectorize roads",
    "vectorize landcover",
    "compare",
    "info",
    "models",
    "devices",
    "install",
    "serve",
    "train",
    "evaluate",
    "visualise",
    "chips",
    "labels",
    "lists",
    "records",
    "export",
    "convert",
    "average",
)

#: A run that is interrupted, and one that has the same output meanwhile.
LONG = Command(
    "interrupted",
    f"extract roads town.tif -o long.gpkg --probability long.tif {SMALL_TILES} {ROADS} {ONNX} --json",
    ("long.gpkg", "long.tif"),
    network=True,
)
RIVAL = Command("output that is being written", "vectorize roads probability.tif -o long.gpkg --json")
#: Lines to the server that are not runs, and invalid runs.
LINES = (
    '{"type": "ping"}',
    '{"type": "ping", "id": 5}',
    "{",
    "[]",
    '{"type": "run", "id": "x", "arguments": []}',
    '{"type": "run", "id": 1, "arguments": 5}',
    '{"type": "run", "id": 1, "arguments": [], "shell": true}',
    '{"type": "later", "id": 1}',
    '{"type": "cancel", "id": 99}',
    '{"type": "ping", "id": 6}',
)
