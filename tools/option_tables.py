"""Generate the option tables of the documentation: ``python tools/option_tables.py [--check]``.

A table is placed between ``<!-- options: NAME -->`` and ``<!-- end of options -->``; NAME is a dataclass of
``engine/protocol/options.py``.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
_TABLE = re.compile(r"(<!-- options: (\w+) -->\n).*?(<!-- end of options -->)", re.DOTALL)


def load_declarations() -> ModuleType:
    """Import the module with the declarations; this folder may have any name."""
    package = ModuleType("terraspore")
    package.__path__ = [str(ROOT)]
    sys.modules.setdefault("terraspore", package)
    return importlib.import_module("terraspore.engine.protocol.options")


def format_table(declaration: type) -> str:
    """Return the options of one dataclass as a Markdown table."""
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for option in load_declarations().options_of(declaration).values():
        value = f" {option.info.items}" if option.info.items else ""
        has_negation = option.kind == "bool" and option.default
        flag = f"--{option.flag}`, `--no-{option.flag}" if has_negation else f"--{option.flag}{value}"
        rows.append(f"| `{flag}` | {option.default_text} | {option.info.help} |")
    return "\n".join(rows) + "\n"


def update_tables(text: str) -> str:
    """Return the text of a page with its tables replaced."""
    declarations = load_declarations()
    return _TABLE.sub(lambda found: found[1] + format_table(getattr(declarations, found[2])) + found[3], text)


def main() -> int:
    """Update the pages, or report which are not up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a page is out of date")
    check = parser.parse_args().check
    outdated = []
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        updated = update_tables(text)
        if updated != text:
            outdated.append(path.name)
            if not check:
                path.write_text(updated, encoding="utf-8")
    print(", ".join(outdated) or "All tables are up to date.")
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
