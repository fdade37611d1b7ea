"""Static rules of the plugin's code, its translations and its zip."""

import ast
import enum
import importlib
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
MODULES = sorted((ROOT / "plugin").rglob("*.py"))
ALLOWED = {"qgis", "osgeo", *sys.stdlib_module_names}


def names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def outside(tree, path):
    """What a module imports of the other packages."""
    folder = path.relative_to(ROOT).parts[:-1]
    relative = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level > len(folder))
    return [node.module for node in relative if node.module != "__about__"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_and_syntax(path):
    text = path.read_text()
    tree = ast.parse(text, feature_version=(3, 9))
    assert {name.split(".")[0] for name in names(tree)} <= ALLOWED
    others = [name for name in outside(tree, path) if not name.startswith("engine.protocol.")]
    assert set(others) <= {"__about__", "engine.errors", "engine.fs.journal", "engine.fs.lock", "engine.fs.rename"}
    assert "PyQt5" not in text
    assert "PyQt6" not in text
    assert len(text.splitlines()) < 400


def chain(node):
    """``["Qt", "AlignmentFlag", "AlignLeft"]`` for such an expression; empty for others."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def is_enum(kind):
    return isinstance(kind, type) and issubclass(kind, (int, enum.Enum)) and kind not in (int, bool)


def unscoped(tree):
    """Members of enums that are taken from the class around the enum: ``Qt.AlignLeft``. Qt 6 does not know them."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module.startswith("qgis."):
            module = importlib.import_module(node.module)
            # Where a name moved between Qt 5 and 6, the code asks for both places, and one of them has it.
            there = [alias for alias in node.names if hasattr(module, alias.name)]
            known.update({alias.asname or alias.name: getattr(module, alias.name) for alias in there})
    for node in ast.walk(tree):
        name, *parts = chain(node) or [""]
        owner = known.get(name)
        for part in parts:
            value = getattr(owner, part, None)
            if is_enum(type(value)) and not is_enum(owner):
                yield ".".join([name, *parts])
            owner = value


def outdated_calls(tree):
    """``exec_``, which Qt 6 has no more."""
    return [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.endswith("exec_")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_code_is_ready_for_qt_6(qgis_app, path):
    tree = ast.parse(path.read_text())
    assert list(unscoped(tree)) == []
    assert outdated_calls(tree) == []


def test_check_finds_what_qt_6_does_not_know(qgis_app):
    code = """
from qgis.core import Qgis, QgsMapLayerProxyModel, QgsProcessing, QgsTask
from qgis.PyQt.QtCore import Qt
good = (Qt.AlignmentFlag.AlignLeft, QgsTask.Flag.CanCancel, QgsProcessing.TEMPORARY_OUTPUT, Qgis.QGIS_VERSION_INT,
        QgsMapLayerProxyModel.Filter.RasterLayer, Qt.ItemDataRole)
bad = (Qt.AlignLeft, QgsTask.CanCancel, Qgis.Info, QgsProcessing.TypeRaster, QgsMapLayerProxyModel.RasterLayer)
dialog.exec_()
"""
    tree = ast.parse(code)
    assert sorted(set(unscoped(tree))) == [
        "Qgis.Info", "QgsMapLayerProxyModel.RasterLayer", "QgsProcessing.TypeRaster", "QgsTask.CanCancel",
        "Qt.AlignLeft",
    ]  # fmt: skip
    assert outdated_calls(tree) == ["exec_"]


def untranslated_errors(tree):
    """Sentences of ``EngineError`` that are not in the user's language."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and chain(node.func) == ["EngineError"]]
    return [
        ast.unparse(text)
        for call in calls
        for text in call.args
        if isinstance(text, (ast.JoinedStr, ast.Constant)) and ast.unparse(text) != "None"
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_errors_are_translated(path):
    assert untranslated_errors(ast.parse(path.read_text())) == []


def test_engine_process_needs_no_qgis():
    code = "import sys; sys.modules['qgis'] = None; from terraspore.plugin.engine import install, models, pool"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / ".venv-qgis" / "plugins")})


def test_journal_of_the_engine_needs_the_standard_library_alone():
    code = """
import sys
sys.modules.update(dict.fromkeys(["numpy", "rasterio", "click", "osgeo"]))
import terraspore.engine.fs.journal
print(*(name for name in sys.modules if name.startswith("terraspore.engine.")))
"""
    environment = {"PYTHONPATH": str(ROOT / ".venv-qgis" / "plugins")}
    done = subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True, text=True)
    found = {name.removeprefix("terraspore.engine.") for name in done.stdout.split()}
    assert all(name == "errors" or name.split(".")[0] == "fs" for name in found)
    for name in found - {"fs"}:  # QGIS 3.22 has Python 3.9 on Windows
        path = ROOT / "engine" / f"{name.replace('.', '/')}.py"
        ast.parse(path.read_text(), feature_version=(3, 9))


def test_translations_are_complete():
    import translations

    sources = translations.texts()
    assert len(sources) > 150
    for language in ("en", "zh"):
        path = translations.FOLDER / f"terraspore_{language}.ts"
        kept = translations.read_translations(path)
        assert [source for source in sources if source not in kept] == []
        assert path.read_text(encoding="utf-8") == translations.render(language, sources, kept)
    chinese = translations.read_translations(translations.FOLDER / "terraspore_zh.ts")
    for source, translation in chinese.items():
        assert set(re.findall(r"{\w+}", source)) == set(re.findall(r"{\w+}", translation)), source


def test_chinese_is_shown(qgis_app, monkeypatch):
    from qgis.PyQt.QtCore import QCoreApplication, QSettings
    from terraspore.plugin.i18n import install_translator, tr

    if not (ROOT / "resources" / "i18n" / "terraspore_zh.qm").is_file():
        pytest.skip("the .qm files were not built: Qt's lrelease is not installed")
    QSettings().setValue("locale/overrideFlag", True)
    QSettings().setValue("locale/userLocale", "zh-Hans")
    translator = install_translator()
    try:
        assert tr("Extract Roads") == "提取道路"
    finally:
        QCoreApplication.removeTranslator(translator)
        QSettings().remove("locale")


@pytest.fixture
def chinese(qgis_app):
    """QGIS as ``--lang zh-Hans`` starts it."""
    from qgis.core import QgsApplication
    from qgis.PyQt.QtCore import QCoreApplication
    from terraspore.plugin.i18n import install_translator

    if not (ROOT / "resources" / "i18n" / "terraspore_zh.qm").is_file():
        pytest.skip("the .qm files were not built: Qt's lrelease is not installed")
    QgsApplication.setTranslation("zh-Hans")
    translator = install_translator()
    yield
    QCoreApplication.removeTranslator(translator)
    QgsApplication.setTranslation("")


def test_language_of_the_command_line_is_followed(chinese):
    from terraspore.plugin.i18n import tr

    assert tr("Extract Roads") == "提取道路"


def test_titles_of_bundled_models_are_translated_and_those_of_users_are_not(chinese):
    from terraspore.plugin.engine.models import find_model, list_models
    from terraspore.plugin.paths import BUNDLED_MODELS

    models = list_models(BUNDLED_MODELS, [BUNDLED_MODELS])
    bundled = [model for model in models if model.is_bundled]
    assert all("影像" in model.get_title() for model in bundled)
    assert [model.get_title() for model in models if not model.is_bundled] == [model.title for model in bundled]
    assert find_model(models, bundled[0].title) == bundled[0]  # scripts name them in English


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    import package

    return package.package(tmp_path_factory.mktemp("dist"))


def test_zip_is_reproducible(tmp_path):
    import package

    files = package.tracked_files()[:50]
    for name in ("a.zip", "b.zip"):
        package.write_zip(tmp_path / name, files)
        time.sleep(0.01)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_zip_passes_the_sites_checks(packed):
    import package

    assert package.check_structure(packed) == []
    assert package.check_code(packed) == [], "a new model's hash is explained by: python tools/package.py --baseline"
    with zipfile.ZipFile(packed) as archive:
        found = set(archive.namelist())
    assert {
        "terraspore/engine/launch.py",
        "terraspore/plugin/plugin.py",
        "terraspore/resources/icons/roads.svg",
    } <= found
    assert not any("tests/" in name or name.endswith((".pyc", ".sh")) for name in found)


def test_metadata_admits_qgis_4():
    import package

    keys = package.metadata((ROOT / "metadata.txt").read_text(encoding="utf-8"))
    assert float(keys["qgisMaximumVersion"]) > 4  # by which QGIS 4 and the plugin site decide
    assert keys["supportsQt6"] == "yes"  # by which builds of QGIS 3 with Qt 6 decide


def test_checks_find_what_the_site_would(packed, tmp_path):
    import package

    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(bad, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "terraspore/metadata.txt":
                data = data.replace(b"tracker=", b"trackr=")
            if entry.filename == "terraspore/plugin/paths.py":
                data += b"\nimport pickle\nX = pickle.loads(b'')\nPASSWORD = 'AKIAIOSFODNN7EXAMPLE'\n"
            if entry.filename != "terraspore/LICENSE":
                target.writestr(entry.filename, data)
        target.writestr("terraspore/engine/library.so", b"x")
    faults = " ".join([*package.check_structure(bad), *package.check_code(bad)])
    for expected in ("lacks tracker", "LICENSE is missing", "library.so is a binary", "bandit B301", "AWS Access Key"):
        assert expected in faults
