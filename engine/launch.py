"""Start the engine from a plugin folder of any name: ``python -I <folder>/engine/launch.py ARGUMENTS``.

QGIS may have installed the folder under another name, beside other plugins that must not become importable. So
the folder is loaded as the package ``terraspore`` by its path, and nothing is added to the search path.
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path

PACKAGE = "terraspore"


def load_package(folder: Path) -> None:
    """Make the folder importable as ``terraspore``, without its parent becoming importable."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load_package(Path(__file__).resolve().parents[1])
    runpy.run_module(f"{PACKAGE}.__main__", run_name="__main__", alter_sys=True)
