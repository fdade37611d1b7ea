"""Build the zip for the plugin site and check it by the site's rules.

    python tools/package.py                 dist/terraspore-<version>.zip, and a zip for each further model
    python tools/package.py --check         the same, then check structure, metadata, bandit and detect-secrets
    python tools/package.py --baseline      add the hashes of the models in the zip to the baseline of detect-secrets

The zip contains files tracked by git and the built translations, so no private file is included by accident.
All entries have the same date, so the same commit gives the same bytes.
"""

from __future__ import annotations

import argparse
import configparser
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NAME = "terraspore"
#: The site's size limit.
LIMIT_BYTES = 25 * 1000 * 1000
#: Models in the plugin's zip: the default road model, and a small model for each task. Every other is a zip of its own.
MODELS = ("landcover-lednet", "roads-efficientnet-lite2", "roads-lednet")
FOLDERS = ("plugin", "engine", "training", "resources")
FILES = ("__init__.py", "__main__.py", "__about__.py", "metadata.txt", "LICENSE", "README.md", "CHANGELOG.md")
RULES = (".bandit", ".flake8", ".secrets.baseline")
REQUIRED_METADATA = (
    "name", "description", "version", "qgisMinimumVersion", "author", "email", "about", "tracker", "repository",
)  # fmt: skip
BINARIES = (".so", ".dll", ".exe", ".dylib", ".pyd", ".a", ".o", ".whl", ".jar")
_DATE = (2020, 1, 1, 0, 0, 0)


def tracked_files() -> list[Path]:
    """Return the tracked files that belong into the zip and the built translations, relative to the root."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    files = [Path(name) for name in listing.split("\0") if name]
    packaged = [path for path in files if path.parts[0] in FOLDERS or str(path) in (*FILES, *RULES)]
    packaged = [path for path in packaged if path.parts[:2] != ("resources", "setup")]
    built = [path.relative_to(ROOT) for path in (ROOT / "resources" / "i18n").glob("*.qm")]
    return sorted({*packaged, *built} - {path for path in packaged if not (ROOT / path).is_file()})


def model_folders(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the files of each bundled model by its name."""
    models: dict[str, list[Path]] = {}
    for path in files:
        if path.parts[:2] == ("resources", "models") and len(path.parts) > 3:
            models.setdefault(path.parts[2], []).append(path)
    return models


def write_zip(target: Path, files: Iterable[Path], strip: Path | None = None) -> None:
    """Write ``files`` to ``target``, below the plugin's name, or relative to the folder ``strip``."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(files):
            name = Path(NAME) / path if strip is None else path.relative_to(strip)
            entry = zipfile.ZipInfo(name.as_posix(), _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (ROOT / path).read_bytes())


def package(folder: Path) -> Path:
    """Build the zips in ``folder`` and return the plugin's zip."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tracked_files()
    separate = {name: paths for name, paths in model_folders(files).items() if name not in MODELS}
    for name, paths in separate.items():
        alone = folder / f"{NAME}-model-{name}.zip"
        write_zip(alone, paths, strip=Path("resources") / "models")
        print(f"{alone} ({alone.stat().st_size / 1e6:.1f} MB)")
    chosen = sorted(set(files).difference(*separate.values()))
    target = folder / f"{NAME}-{version()}.zip"
    write_zip(target, chosen)
    print(f"{target} ({target.stat().st_size / 1e6:.1f} MB, {len(chosen)} files)")
    return target


def version() -> str:
    """Return the version in ``metadata.txt``."""
    return metadata((ROOT / "metadata.txt").read_text(encoding="utf-8"))["version"]


def metadata(text: str) -> dict[str, str]:
    """Parse the keys of ``metadata.txt``, which are case-sensitive as on the plugin site."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return dict(parser["general"])


def check_structure(target: Path) -> list[str]:
    """Return messages about everything in the zip's size, names and metadata that the site would refuse."""
    faults = []
    if target.stat().st_size > LIMIT_BYTES:
        faults.append(f"The zip has {target.stat().st_size} bytes; the site's limit is {LIMIT_BYTES}. Shorten MODELS.")
    with zipfile.ZipFile(target) as archive:
        names = archive.namelist()
        roots = {name.split("/")[0] for name in names}
        if roots != {NAME}:
            faults.append(f"The zip must contain one folder, {NAME}; it contains {sorted(roots)}.")
        for name in names:
            parts = name.split("/")
            if any(part in ("__pycache__", ".git", "__MACOSX") for part in parts) or name.endswith(".pyc"):
                faults.append(f"{name} must not be in the zip.")
            if name.lower().endswith(BINARIES):
                faults.append(f"{name} is a binary.")
        for needed in ("__init__.py", "metadata.txt", "LICENSE"):
            if f"{NAME}/{needed}" not in names:
                faults.append(f"{needed} is missing.")
        keys = metadata(archive.read(f"{NAME}/metadata.txt").decode("utf-8"))
        icon = keys.get("icon", "")
        if icon and f"{NAME}/{icon}" not in names:
            faults.append(f"The icon {icon} is missing.")
    faults += [f"metadata.txt lacks {key}." for key in REQUIRED_METADATA if not keys.get(key)]
    if "dependenc" not in keys.get("about", "").lower():
        faults.append("The key about does not name the external dependencies.")
    return faults


def check_code(target: Path) -> list[str]:
    """Return messages about everything that bandit and detect-secrets find in the zip."""
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(target) as archive:
            archive.extractall(scratch)  # trusted: this program has just written it
        folder = Path(scratch) / NAME
        return [*_bandit(folder), *_secrets(folder)]


def _bandit(folder: Path) -> list[str]:
    command = [sys.executable, "-m", "bandit", "-q", "-r", ".", "--ini", ".bandit", "-f", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    report = json.loads(done.stdout)
    found = [f"bandit {e['test_id']} {e['filename']}:{e['line_number']}: {e['issue_text']}" for e in report["results"]]
    return found + [f"bandit could not read {error['filename']}" for error in report["errors"]]


def update_baseline(target: Path) -> None:
    """Write the ``sha256`` lines of the cards in the zip to ``.secrets.baseline``, and nothing else."""
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(target) as archive:
            archive.extractall(scratch)
        folder = Path(scratch) / NAME
        explained = {}
        for name, entries in _scan(folder).items():
            lines = (folder / name).read_text(encoding="utf-8").splitlines() if name.endswith("/card.json") else []
            hashes = [e for e in entries if lines and lines[e["line_number"] - 1].lstrip().startswith('"sha256"')]
            if hashes:
                explained[name] = hashes
    path = ROOT / ".secrets.baseline"
    baseline = {**json.loads(path.read_text(encoding="utf-8")), "results": explained}
    path.write_text(json.dumps(baseline, indent=2) + "\n", encoding="utf-8")


def _scan(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Run detect-secrets and return its findings by file; the baseline itself is excluded."""
    command = [sys.executable, "-m", "detect_secrets", "scan", "--all-files"]
    command += ["--exclude-files", r"\.secrets\.baseline$", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    results: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)["results"]
    return results


def _secrets(folder: Path) -> list[str]:
    known = json.loads((folder / ".secrets.baseline").read_text(encoding="utf-8"))["results"]
    hashes = {(name, entry["hashed_secret"]) for name, entries in known.items() for entry in entries}
    results = _scan(folder)
    return [
        f"detect-secrets {name}:{entry['line_number']}: {entry['type']}"
        for name, entries in results.items()
        for entry in entries
        if (name, entry["hashed_secret"]) not in hashes
    ]


def main() -> int:
    """Build the zip and, with ``--check``, check it."""
    parser = argparse.ArgumentParser(description="Build the zip for the plugin site.")
    parser.add_argument("--folder", type=Path, default=ROOT / "dist")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--baseline", action="store_true")
    options = parser.parse_args()
    target = package(options.folder)
    if options.baseline:
        update_baseline(target)
    if not options.check:
        return 0
    faults = check_structure(target) + check_code(target)
    print("\n".join(faults) or "The plugin site's checks find nothing.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
