"""The engine's declared options in parameters and dialogs: the same titles, ranges and defaults everywhere."""

import json
import subprocess

import pytest
from conftest import ENGINE_PYTHON, ROOT
from qgis.core import (
    QgsApplication,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsGeometry,
    QgsProcessingParameterNumber,
    QgsRasterLayer,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtWidgets import QFormLayout, QLabel, QWidget
from terraspore.engine.protocol.compare_options import CompareOptions
from terraspore.engine.protocol.declaration import options_of
from terraspore.engine.protocol.options import (
    ClassRasterOptions,
    CoverageOptions,
    ImageOptions,
    RasterOptions,
    RoadOptions,
    RuntimeOptions,
    UpdateOptions,
)

IMAGE, RUNTIME = options_of(ImageOptions), options_of(RuntimeOptions)
ROADS, COVERAGE, RASTER = options_of(RoadOptions), options_of(CoverageOptions), options_of(RasterOptions)
UPDATE = options_of(UpdateOptions)
#: Parameters that are declared options: algorithm -> parameter -> option.
PARAMETERS = {
    name: {
        "BANDS": IMAGE["bands"],
        "EXTENT": IMAGE["extent"],
        "AREA": IMAGE["area"],
        "NODATA": IMAGE["nodata"],
        "IGNORE_ALPHA": IMAGE["ignore_alpha"],
        "OVERLAP": IMAGE["overlap"],
        "TTA": IMAGE["tta"],
        "KEEP_CONTRAST": IMAGE["keep_contrast"],
        "ALLOW_REMOTE": IMAGE["allow_remote"],
        "DEVICE": RUNTIME["device"],
        "RUNTIME": RUNTIME["runtime"],
        **further,
    }
    for name, further in {
        "extractroads": {"THRESHOLD": ROADS["threshold"], "ROAD_AREAS": ROADS["areas"], "OSM_TAGS": ROADS["osm_tags"]},
        "extractlandcover": {
            name.upper(): COVERAGE[name] for name in ("minimum_area", "regularise", "regularise_error")
        },
        "segment": {"THRESHOLD": ROADS["threshold"], "RESOLUTION": IMAGE["resolution"]},
    }.items()
} | {
    "vectorize": {
        **{name.upper(): ROADS[name] for name in ("threshold", "simplify", "min_length", "gap", "spur")},
        "MERGE_PARALLEL": ROADS["merge_parallel"],
        "OSM_TAGS": ROADS["osm_tags"],
        **{name.upper(): COVERAGE[name] for name in ("minimum_area", "classes", "regularise", "regularise_error")},
        **{name.upper(): RASTER[name] for name in ("band", "values", "scale")},
        **{name.upper(): UPDATE[name] for name in ("update", "update_distance")},
        "CONFIDENCE": options_of(ClassRasterOptions)["confidence"],
    },
    "manyimages": {name.upper(): IMAGE[name] for name in ("allow_remote", "keep_contrast")},
    "compare": {name.upper(): option for name, option in options_of(CompareOptions).items() if "layer" not in name},
}
CASES = [(algorithm, name) for algorithm, options in PARAMETERS.items() for name in options]


@pytest.mark.parametrize(("algorithm", "name"), CASES)
def test_parameter_is_the_declared_option(plugin, algorithm, name):
    option = PARAMETERS[algorithm][name]
    found = QgsApplication.processingRegistry().algorithmById(f"terraspore:{algorithm}")
    parameter = found.parameterDefinition(name)
    unit = f" ({option.info.unit})" if option.info.unit else ""
    assert option.info.title
    assert parameter.description().split(", empty: ")[0] == option.info.title + unit
    if parameter.type() == "number":
        assert parameter.minimum() == (-1e300 if name == "NODATA" else option.info.minimum or 0)
        if option.info.maximum is not None:
            assert parameter.maximum() == option.info.maximum
        assert parameter.defaultValue() is None
        assert parameter.flags() & parameter.FlagOptional
    elif parameter.type() == "boolean":
        assert parameter.defaultValue() == option.default
    elif parameter.type() == "enum":
        assert tuple(parameter.options()) == (option.info.suggestions or option.info.choices)
        assert parameter.defaultValue() == option.default


@pytest.mark.parametrize(("algorithm", "name"), [case for case in CASES if case[0] != "vectorize"])
def test_empty_parameter_names_what_it_stands_for(plugin, algorithm, name):
    parameter = QgsApplication.processingRegistry().algorithmById(f"terraspore:{algorithm}").parameterDefinition(name)
    if parameter.type() == "number" or parameter.name() == "REGULARISE":
        default = (
            "the model's"
            if name == "THRESHOLD" and algorithm != "compare"
            else PARAMETERS[algorithm][name].default_text
        )
        assert parameter.description().endswith(f", empty: {default}")


#: Parses the lists of arguments in stdin as the engine does, and runs nothing.
PARSE = """
import json, pathlib, runpy, sys
root = pathlib.Path(sys.argv[1])
runpy.run_path(str(root / "engine" / "launch.py"))["load_package"](root)
import click
from terraspore.__main__ import TRAINING_COMMANDS
from terraspore.engine.cli.main import ENGINE_COMMANDS, LazyGroup
for words in json.load(sys.stdin):
    command = LazyGroup("terraspore", {**ENGINE_COMMANDS, **TRAINING_COMMANDS})
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    command.make_context(command.name, words)
"""


def choose_value(definition, inputs):
    """A value for a parameter that is not its default; None for layers and files that may be left out."""
    if isinstance(definition, QgsProcessingParameterNumber):
        step = 1 if definition.dataType() == definition.Integer else 0.25
        return max(definition.minimum(), 0) + step
    values = {"boolean": not definition.defaultValue(), "string": "1", "band": [1]}
    if definition.type() == "enum":
        return definition.options()[1] if definition.usesStaticStrings() else 1
    values["multilayer"] = [str(inputs / "image.tif")] if definition.name() == "LAYERS" else None
    return None if definition.name() == "MODEL" else values.get(definition.type())


def write_line(path):
    """Write a line to a file."""
    layer = QgsVectorLayer("LineString?crs=EPSG:32618", "lines", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromWkt("LINESTRING (500010 4649700, 500050 4649700)"))
    layer.dataProvider().addFeature(feature)
    options = QgsVectorFileWriter.SaveVectorOptions()
    QgsVectorFileWriter.writeAsVectorFormatV3(layer, str(path), QgsCoordinateTransformContext(), options)
    return str(path)


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [(name, None) for name in ("extractroads", "extractlandcover", "segment", "manyimages", "compare", "trainingchips")]
    + [("vectorize", 0), ("vectorize", 1)],
)
def test_every_parameter_is_an_argument_that_the_engine_takes(
    plugin, settings, inputs, tmp_path, monkeypatch, algorithm, kind
):
    import processing
    from terraspore.plugin.engine.errors import EngineCancelledError
    from terraspore.plugin.processing.base import EngineAlgorithm
    from terraspore.plugin.processing.vectorize import KINDS
    from terraspore.plugin.processing.vectorize import OPTIONS as VECTORIZE

    lines = []

    def keep(_algorithm, arguments, _feedback, _start=0.0):
        lines.append(arguments)
        raise EngineCancelledError("it is not run")

    monkeypatch.setattr(EngineAlgorithm, "run_engine", keep)
    found = QgsApplication.processingRegistry().algorithmById(f"terraspore:{algorithm}")
    image, roads = QgsRasterLayer(str(inputs / "image.tif"), "image"), write_line(tmp_path / "labels.gpkg")
    values = {definition.name(): choose_value(definition, inputs) for definition in found.parameterDefinitions()}
    values |= {"INPUT": image, "RESULT": image, "TRUTH": image, "VECTORS": roads}
    values |= {"OUTPUT": str(tmp_path / ("classes.tif" if algorithm == "segment" else "out.gpkg"))}
    if algorithm == "segment":
        values["VECTORS"] = str(tmp_path / "out.gpkg")
    if algorithm == "trainingchips":
        values |= {"OUTPUT": str(tmp_path / "chips")}
    if kind is not None:
        values["KIND"] = KINDS[kind]
    known = {definition.name() for definition in found.parameterDefinitions()}
    processing.run(found, {name: value for name, value in values.items() if value is not None and name in known})
    done = subprocess.run(
        [ENGINE_PYTHON, "-c", PARSE, ROOT], input=json.dumps(lines), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    flags = {word.partition("=")[0].replace("--no-", "--") for word in lines[0]}
    names = {name.upper() for name in VECTORIZE[KINDS[kind]]} if kind is not None else known
    for name, option in PARAMETERS.get(algorithm, {}).items():
        if name in names and values.get(name) is not None:
            assert f"--{option.flag}" in flags, name
    assert {*getattr(found, "OPTIONS", ())} <= {*PARAMETERS.get(algorithm, ())}


def test_every_algorithm_that_runs_a_model_has_a_parameter_for_each_of_its_options(plugin):
    from terraspore.plugin.processing.extract import ExtractLandCover, ExtractRoads, Segment

    for kind in (ExtractRoads, ExtractLandCover, Segment):
        own = type("Own", (kind,), {"OPTIONS": {"GAP": ROADS["gap"]}})(plugin.context)
        own.initAlgorithm()
        assert own.parameterDefinition("GAP") is not None


def read_rows(widget):
    """Titles and fields of all forms in a widget."""
    rows = {}
    for form in widget.findChildren(QFormLayout):
        for row in range(form.rowCount()):
            label, field = (form.itemAt(row, role) for role in (QFormLayout.LabelRole, QFormLayout.FieldRole))
            if label is not None and field is not None and isinstance(label.widget(), QLabel):
                rows[label.widget().text()] = field.widget()
    return rows


def test_fields_of_the_run_dialog(plugin, settings):
    from terraspore.plugin.dialogs.run_dialog import ROADS as FORM
    from terraspore.plugin.dialogs.run_dialog import RunDialog

    canvas, parent = QgsMapCanvas(), QWidget()
    dialog = RunDialog(FORM, plugin.context, canvas, start=print, show_options=print, parent=parent)
    rows = read_rows(dialog)
    options = {
        **RUNTIME,
        **{name: IMAGE[name] for name in ("bands", "overlap", "nodata")},
        "threshold": ROADS["threshold"],
    }
    for name in ("threshold", "bands", "nodata", "overlap", "device", "runtime"):
        assert rows[options[name].info.title] is getattr(dialog, name)
    assert dialog.tta.text() == IMAGE["tta"].info.title
    assert dialog.ignore_alpha.text() == IMAGE["ignore_alpha"].info.title
    assert "NODATA" not in dialog.parameters()
    dialog.nodata.setText("-9999")
    dialog.ignore_alpha.setChecked(True)
    assert (dialog.parameters()["NODATA"], dialog.parameters()["IGNORE_ALPHA"]) == (-9999, True)
    assert dialog.overlap.specialValueText() == dialog.overlap.text() == IMAGE["overlap"].info.unset
    assert dialog.overlap.get_value() is dialog.threshold.get_value() is None
    dialog.overlap.setValue(0)
    assert dialog.overlap.get_value() == 0
    assert isinstance(dialog.overlap.get_value(), int)
    assert dialog.threshold.maximum() == 1
    for field, option in ((dialog.device, RUNTIME["device"]), (dialog.runtime, RUNTIME["runtime"])):
        assert tuple(field.itemText(index) for index in range(field.count())) == option.info.suggestions
    dialog.close()


@pytest.mark.parametrize(
    ("form", "values"),
    [("ROADS", {"OSM_TAGS": True}), ("LANDCOVER", {"MINIMUM_AREA": 30.0, "REGULARISE": "3", "REGULARISE_ERROR": 2.0})],
)
def test_options_of_the_task_have_fields_in_the_run_dialog(plugin, settings, form, values):
    from terraspore.plugin.dialogs import run_dialog

    canvas, parent = QgsMapCanvas(), QWidget()
    form = getattr(run_dialog, form)
    dialog = run_dialog.RunDialog(form, plugin.context, canvas, start=print, show_options=print, parent=parent)
    assert not set(values) & set(dialog.parameters())  # untouched, they are left to the engine
    rows = read_rows(dialog)
    for name, value in values.items():
        option = PARAMETERS[form.algorithm.ID][name]
        field = rows[option.info.title + (f" ({option.info.unit})" if option.info.unit else "")]
        setters = {"bool": "setChecked", "float": "setValue"}
        getattr(field, setters.get(option.kind, "setText"))(value)
    assert values.items() <= dialog.parameters().items()
    dialog.close()


def test_fields_of_the_vectorize_dialog(plugin, settings):
    from terraspore.plugin.dialogs.vectorize_dialog import VectorizeDialog

    dialog = VectorizeDialog(plugin.context, start=print, show_options=print)
    for kind in ("roads", "landcover"):
        dialog.kind.setCurrentIndex(dialog.kind.findData(kind))
        rows = read_rows(dialog)
        for name, (option, kinds) in dialog.options.items():
            unit = f" ({option.info.unit})" if option.info.unit else ""
            assert (option.info.title + unit in rows) == (kind in kinds)
            field = dialog.fields[name.upper()]
            assert field.get_value() is None
            if option.kind == "bool":
                field.setChecked(not option.default)
                assert field.get_value() is not option.default
                field.setChecked(option.default)
                continue
            if option.info.holds:
                assert field.currentLayer() is None
                continue
            if option.info.choices:
                assert [field.itemData(index) for index in range(field.count())] == [None, *option.info.choices]
            elif name == "nodata":
                field.setText("-9999")
                assert field.get_value() == -9999
                field.clear()
            elif option.info.items:
                field.setText(" roof, 3 ")
                assert field.get_value() == "roof, 3"
                assert (dialog.parameters().get(name.upper()) == "roof, 3") == (kind in kinds)
                field.clear()
            else:
                assert field.minimum() + field.singleStep() == option.info.minimum
    dialog.close()


def test_fields_of_the_options_page(plugin, settings):
    from terraspore.plugin.options.page import OptionsPage

    page = OptionsPage(plugin.context, None)
    box, rows = page.performance, read_rows(page)
    fields = {**box.choices, **box.numbers}
    for name in ("device", "runtime", "threads"):
        assert rows[RUNTIME[name].info.title] is fields[name]
    for name in ("memory", "tile"):
        assert rows[IMAGE[name].info.title] is fields[name]
        assert fields[name].specialValueText() == IMAGE[name].info.unset
    assert box.numbers["threads"].specialValueText() == RUNTIME["threads"].info.unset


def test_suggestions_are_named_by_the_help():
    for option in (RUNTIME["device"], RUNTIME["runtime"]):
        assert option.info.suggestions[0] == option.default
        assert all(value in option.info.help for value in option.info.suggestions)
