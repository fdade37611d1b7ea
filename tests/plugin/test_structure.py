"""Rules about the plugin's code that no run of it would show."""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
MODULES = sorted((ROOT / "plugin").rglob("*.py"))
#: Enums themselves, given a shorter name.
ENUMS = {"StandardButton"}
ALLOWED = {"qgis", "osgeo", *sys.stdlib_module_names}


def names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_and_syntax(path):
    text = path.read_text()
    tree = ast.parse(text, feature_version=(3, 9))
    assert {name.split(".")[0] for name in names(tree)} <= ALLOWED
    assert not re.search(r"from \.+(engine|training)\b(?!_)", text)
    assert "PyQt5" not in text
    assert "PyQt6" not in text
    assert len(text.splitlines()) < 400


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_enums_are_scoped(path):
    """Qt 6 knows ``Qt.AlignmentFlag.AlignLeft`` alone; so a member of Qt is followed by an enum's name."""
    pattern = r"\b(Qt|QImage|QDialogButtonBox|QIODevice)\.([A-Za-z_]+)(\.\w+)?"
    for owner, first, rest in re.findall(pattern, path.read_text()):
        assert rest or first[0].islower() or first in ENUMS, f"{owner}.{first}"


def test_engine_process_needs_no_qgis():
    code = "import sys; sys.modules['qgis'] = None; import terraspore.plugin.engine_process.host"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / ".venv-qgis" / "plugins")})


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


def test_zip_passes_the_sites_checks(tmp_path):
    import package

    target = package.package(tmp_path)
    assert package.check_structure(target) == []
    assert package.check_code(target) == []
    again = package.package(tmp_path / "again")
    assert again.read_bytes() == target.read_bytes()
    with zipfile.ZipFile(target) as archive:
        found = set(archive.namelist())
    assert {
        "terraspore/engine/launch.py",
        "terraspore/plugin/plugin.py",
        "terraspore/resources/icons/roads.svg",
    } <= found
    assert not any("tests/" in name or name.endswith((".pyc", ".sh")) for name in found)


def test_checks_find_what_the_site_would(tmp_path):
    import package

    good = package.package(tmp_path)
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
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
