"""Record the results of commands on files that are made here, or compare them with a recording.

    python tests/recorded/record.py --out tests/recorded/expected.json
    python tests/recorded/record.py --check tests/recorded/expected.json

``--check`` fails if a result differs, and prints messages that differ. If a change of the program changes results on
purpose, record them again and review the difference.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pyproj
import rasterio
import shapely
from recorded.comparing import changed_sentences, differences
from recorded.reduce import digest
from recorded.running import record

EXPECTED = Path(__file__).with_name("expected.json")


def make_recording(folder: Path) -> dict[str, Any]:
    """Run everything in the empty folder ``folder``, and return the recording as JSON."""
    recording = record(folder.resolve())
    made = {"made_on": made_on(), "results": recording.results, "sentences": recording.sentences}
    return json.loads(json.dumps(made))


def made_on() -> dict[str, str]:
    """Return the processor and the libraries, on which the last digits of a network's result depend."""
    packages = ("numpy", "onnxruntime", "openvino", "opencv-python-headless", "scipy")
    versions = {name: metadata.version(name) for name in packages}
    native = {"gdal": rasterio.__gdal_version__, "geos": shapely.geos_version_string, "proj": pyproj.__proj_version__}
    return {"processor": _processor(), **versions, **native}


def _processor() -> str:
    """Return the name and a hash of the features of the processor; empty if the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    facts = {name.strip(): value for name, _, value in (line.partition(":") for line in lines)}
    return f"{facts.get('model name', '').strip()} {digest(facts.get('flags', '').encode())[:8]}"


def _as_text(recording: dict[str, Any]) -> str:
    """Return the recording as JSON, with a line for each value or list of values."""
    text = json.dumps(recording, indent=1, ensure_ascii=False)
    return re.sub(r"\[\n[^\[\]{}]*\]", lambda match: re.sub(r"\n *", " ", match[0]), text) + "\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--out", type=Path, help="write the recording to this file")
    kind.add_argument("--check", type=Path, help="compare with the recording in this file")
    return parser.parse_args()


def main() -> int:
    """Record or check; return 1 if a result differs."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        os.environ["TERRASPORE_CACHE"] = cache
        found = make_recording(Path(folder))
    if arguments.out:
        arguments.out.write_text(_as_text(found), encoding="utf-8")
        return 0
    expected = json.loads(arguments.check.read_text("utf-8"))
    for line in changed_sentences(expected, found):
        print(f"sentence: {line}")
    faults = differences(expected, found)
    for line in faults:
        print(f"DIFFERENT {line}")
    if faults and expected["made_on"] != found["made_on"]:
        print(f"recorded on {expected['made_on']}\nchecked on  {found['made_on']}")
    print(f"{len(found['results'])} results, {len(faults)} differences")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
