"""Collect the plugin's texts, write ``resources/i18n/terraspore_<language>.ts`` and build the ``.qm`` files.

    python tools/translations.py            update the .ts files, build the .qm files if Qt's lrelease is installed
    python tools/translations.py --check    exit with 1 if a text is not translated or a .ts file is not up to date

The texts are the arguments of ``tr("...")``, the constants listed in ``CONSTANTS``, the titles of the engine's options
and those of the bundled models. Translations are identified by their English text; texts that no longer exist are
removed.
"""

from __future__ import annotations

import argparse
import ast
import json
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
#: Names of constants with translatable texts, by module; they are translated where they are shown.
CONSTANTS = {
    "processing/extract.py": {"TITLE", "HELP", "TAGS", "MAIN", "FURTHER", "RASTERS", "NUMBERS", "GROUP"},
    "processing/vectorize.py": {"TITLE", "HELP", "TAGS", "LAYERS"},
    "processing/batch.py": {"TITLE", "HELP", "TAGS"},
    "processing/chips.py": {"TITLE", "HELP", "TAGS"},
    "processing/compare.py": {"TITLE", "HELP", "TAGS"},
    "dialogs/run_dialog.py": {"ROADS", "LANDCOVER", "SEGMENT"},
    "dialogs/model_dialog.py": {"_TEXTS"},
    "engine/env_profiles.py": {"ENV_PROFILES"},
    "engine/models.py": {"TASK_TITLES"},
    "engine/errors.py": {"_STATUS_CODES", "_SIGNALS", "_USE_LESS", "_REPAIR", "_OLD_PROCESSOR", "_NO_MEMORY"},
}


def texts() -> list[str]:
    """Return all texts of the plugin, sorted."""
    found: set[str] = set()
    for path in sorted((ROOT / "plugin").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.update(_called(tree))
        names = CONSTANTS.get(path.relative_to(ROOT / "plugin").as_posix(), set())
        found.update(text for text in _assigned(tree, names) if _is_for_people(text))
    found.update(_declared())
    cards = (ROOT / "resources" / "models").glob("*/card.json")
    found.update(json.loads(card.read_text(encoding="utf-8"))["title"] for card in cards)
    return sorted(found)


def _declared() -> Iterator[str]:
    """Yield the titles of the engine's options and the texts for their unset values."""
    declared = (ROOT / "engine" / "protocol" / name for name in ("options.py", "compare_options.py"))
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in declared)
    for call in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(call, ast.Call):
            unset = [keyword.value for keyword in call.keywords if keyword.arg == "unset"]
            for value in (*call.args[2:3], *unset):
                if isinstance(value, ast.Constant) and value.value:
                    yield value.value


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
    """Return whether a constant is a text for people, not an identifier, suffix or requirement.

    Texts start with a capital letter or contain a comma.
    """
    return bool(text) and (
        (text[0].isupper() and not text.isupper()) or ("," in text and not any(c in text for c in "<>=."))
    )


def read_translations(path: Path) -> dict[str, str]:
    """Read the translations in ``path``, by their English text."""
    if not path.is_file():
        return {}
    translations = {}
    for message in Xml.parse(path).iter("message"):
        translation = message.find("translation")
        if translation is not None and translation.text and translation.get("type") != "unfinished":
            translations[message.findtext("source", "")] = translation.text
    return translations


def render(language: str, sources: list[str], translations: dict[str, str]) -> str:
    """Return the ``.ts`` document."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>", f'<TS version="2.1" language="{language}">']
    lines += ["<context>", f"    <name>{CONTEXT}</name>"]
    for source in sources:
        translation = source if language == "en" else translations.get(source, "")
        kind = "" if translation else ' type="unfinished"'
        lines += ["    <message>", f"        <source>{escape(source)}</source>"]
        lines += [f"        <translation{kind}>{escape(translation)}</translation>", "    </message>"]
    return "\n".join([*lines, "</context>", "</TS>", ""])


def build(path: Path) -> bool:
    """Build the ``.qm`` file of ``path`` in the same folder; return False if Qt's lrelease is not installed."""
    program = shutil.which("lrelease") or shutil.which("lrelease-qt5") or shutil.which("pyside6-lrelease")
    if program is None:
        return False
    subprocess.run([program, "-silent", str(path), "-qm", str(path.with_suffix(".qm"))], check=True)
    return True


def main() -> int:
    """Update the translations, or check them."""
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
