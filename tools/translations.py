"""Gathers the plugin's texts, writes ``resources/i18n/terraspore_<language>.ts``, and builds the ``.qm`` files.

    python tools/translations.py            update the .ts files, build .qm where Qt's lrelease is there
    python tools/translations.py --check    end with 1 where a text is not translated or a .ts file is not up to date

Texts are what stands in ``tr("...")``, and the constants of the modules that say so in ``CONSTANTS``. Translations
are kept by their English text; texts that are gone are dropped.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Xml
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "resources" / "i18n"
CONTEXT = "TerraSpore"
LANGUAGES = ("en", "zh")
#: Modules with texts that are translated where they are shown: assigned names, fields and calls that hold them.
CONSTANTS = {
    "processing/extract.py": {"TITLE", "HELP", "TAGS", "MAIN", "FURTHER", "RASTERS", "NUMBERS"},
    "processing/segment.py": {"TITLE", "HELP", "TAGS"},
    "processing/vectorize.py": {"TITLE", "HELP", "TAGS", "LAYERS"},
    "processing/chips.py": {"TITLE", "HELP", "TAGS"},
    "dialogs/forms.py": {"ROADS", "LANDCOVER", "SEGMENT"},
    "dialogs/model_dialog.py": {"_TEXTS"},
    "engine/env_profiles.py": {"ENV_PROFILES"},
    "engine/exit_codes.py": {"_STATUS_CODES", "_SIGNALS", "_USE_LESS", "_REPAIR", "_OLD_PROCESSOR", "_NO_MEMORY"},
}


def texts() -> list[str]:
    """All texts of the plugin, sorted."""
    found: set[str] = set()
    for path in sorted((ROOT / "plugin").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.update(_called(tree))
        names = CONSTANTS.get(path.relative_to(ROOT / "plugin").as_posix(), set())
        found.update(text for text in _assigned(tree, names) if _is_for_people(text))
    found.update(_declared())
    return sorted(found)


def _declared() -> Iterator[str]:
    """Titles of the engine's options, and what their unset values stand for."""
    tree = ast.parse((ROOT / "engine" / "protocol" / "options.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant)
        if is_text and node.arg in ("title", "unset") and node.value.value:
            yield node.value.value


def _called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        is_tr = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr"
        if is_tr and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value


def _assigned(tree: ast.AST, names: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id in names for target in targets) and node.value is not None:
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def _is_for_people(text: str) -> bool:
    """Identifiers, suffixes and requirements are not; what has a capital at its beginning or a comma is."""
    return bool(text) and (
        (text[0].isupper() and not text.isupper()) or ("," in text and not any(c in text for c in "<>=."))
    )


def read_translations(path: Path) -> dict[str, str]:
    """English text -> translation, as kept in ``path``."""
    if not path.is_file():
        return {}
    kept = {}
    for message in Xml.parse(path).iter("message"):
        translation = message.find("translation")
        if translation is not None and translation.text and translation.get("type") != "unfinished":
            kept[message.findtext("source", "")] = translation.text
    return kept


def render(language: str, sources: list[str], translations: dict[str, str]) -> str:
    """The ``.ts`` document."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>", f'<TS version="2.1" language="{language}">']
    lines += ["<context>", f"    <name>{CONTEXT}</name>"]
    for source in sources:
        translation = source if language == "en" else translations.get(source, "")
        kind = "" if translation else ' type="unfinished"'
        lines += ["    <message>", f"        <source>{escape(source)}</source>"]
        lines += [f"        <translation{kind}>{escape(translation)}</translation>", "    </message>"]
    return "\n".join([*lines, "</context>", "</TS>", ""])


def build(path: Path) -> bool:
    """Build the ``.qm`` beside ``path``; false where Qt's lrelease is not there."""
    program = shutil.which("lrelease") or shutil.which("lrelease-qt5") or shutil.which("pyside6-lrelease")
    if program is None:
        return False
    subprocess.run([program, "-silent", str(path), "-qm", str(path.with_suffix(".qm"))], check=True)
    return True


def main() -> int:
    """Update or check."""
    parser = argparse.ArgumentParser(description="Update and build the translations.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    sources, faults = texts(), []
    for language in LANGUAGES:
        path = FOLDER / f"terraspore_{language}.ts"
        translations = read_translations(path)
        document = render(language, sources, translations)
        if check:
            if not path.is_file() or path.read_text(encoding="utf-8") != document:
                faults.append(f"{path.name} is not up to date.")
            faults += [
                f"{path.name}: {s!r} is not translated." for s in sources if language != "en" and s not in translations
            ]
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document, encoding="utf-8")
            if not build(path):
                print("The .qm files were not built: Qt's lrelease is not installed.")
    print("\n".join(faults) or f"{len(sources)} texts in {len(LANGUAGES)} languages")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
