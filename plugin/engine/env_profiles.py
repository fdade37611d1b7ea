"""The families of runtimes, and what the environment of each needs.

One environment for each, so that a large download that fails does not break the one that works.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The engine's own requirements: the same as ``dependencies`` in pyproject.toml (a test compares them).
_ENGINE = (
    "numpy>=1.24",
    "affine>=3",
    "rasterio>=1.3.9",
    "pyproj>=3.5",
    "shapely>=2.1",
    "pyogrio>=0.10",
    "scipy>=1.10",
    "opencv-python-headless>=4.8,<4.12",
    "onnx>=1.16",
    "onnxruntime>=1.18",
    "openvino>=2024.4",
    "click>=8.1",
    "rich>=13",
    "psutil>=5.9",
)
#: What cutting training chips needs besides, of the extra ``training``.
_CHIPS = ("pyyaml>=6", "pillow>=10")
_ACCELERATE = ("numba>=0.60",)
#: Versions of Python that the engine runs on: lowest, and the first that it does not.
PYTHON_VERSIONS = ((3, 10), (3, 13))


@dataclass(frozen=True)
class Family:
    """A family of runtimes.

    Attributes:
        name: also the name of its environment's folder.
        title: for people, in English; translated where it is shown.
        requirements: what pip installs.
        optional: what is installed when it can be, without which everything works more slowly.
        download_megabytes: about how much is downloaded on Linux.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    optional: tuple[str, ...]
    download_megabytes: int


def _with(replaced: str, *requirements: str) -> tuple[str, ...]:
    return (*(entry for entry in _ENGINE if not entry.startswith(replaced)), *requirements, *_CHIPS)


FAMILIES = (
    Family("cpu", "Processor (OpenVINO, ONNX Runtime)", (*_ENGINE, *_CHIPS), _ACCELERATE, 350),
    Family(
        "cuda",
        "NVIDIA graphics card (ONNX Runtime for CUDA)",
        _with("onnxruntime", "onnxruntime-gpu[cuda,cudnn]>=1.20"),
        _ACCELERATE,
        2500,
    ),
    Family(
        "mindspore",
        "MindSpore (Ascend, processor)",
        _with("numpy", "numpy>=1.25,<2", "mindspore>=2.7,<2.11"),
        _ACCELERATE,
        800,
    ),
)


def find_family(name: str) -> Family:
    """The family ``name``; the first where there is none of that name."""
    return next((family for family in FAMILIES if family.name == name), FAMILIES[0])
