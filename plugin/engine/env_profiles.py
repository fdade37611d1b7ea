"""Environment profiles: one virtual environment for each family of runtimes.

They are separate so that a failed download of a large runtime does not break the environment that works.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The engine's requirements: the same as ``dependencies`` in pyproject.toml (a test compares them).
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
#: Further requirements for cutting training chips, from the extra ``training``.
_CHIPS = ("pyyaml>=6", "pillow>=10")
_ACCELERATE = ("numba>=0.60",)
#: Seconds that a new environment is prepared for its first run, measured on two cores of an AMD EPYC.
PREPARATION_SECONDS = 30
#: Megabits per second of the connection for which the time of a set-up is given.
LINE_MEGABITS = 50
#: Versions of Python that the engine runs on, and those for which MindSpore has wheels, from old to new.
_PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
_MINDSPORE_PYTHONS = _PYTHONS[:3]


@dataclass(frozen=True)
class EnvProfile:
    """The packages of an environment.

    Attributes:
        name: also the name of the environment's folder.
        title: for people, in English; translated where it is shown.
        requirements: what pip installs.
        optional: what is installed if possible; without it everything works, but more slowly.
        download_megabytes: size of the download on Linux, measured.
        disk_megabytes: size of the finished environment on Linux, measured.
        pythons: versions of Python for which all packages have wheels, from old to new.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    optional: tuple[str, ...]
    download_megabytes: int
    disk_megabytes: int
    pythons: tuple[tuple[int, int], ...] = _PYTHONS

    @property
    def minutes(self) -> int:
        """How long the set-up takes with ``LINE_MEGABITS``, rounded up: unpacking takes a second for 60 MB."""
        seconds = 8 * self.download_megabytes / LINE_MEGABITS + self.disk_megabytes / 60 + PREPARATION_SECONDS
        return -int(-seconds // 60)


def _replace(name: str, *requirements: str) -> tuple[str, ...]:
    """Replace the requirements of the engine that begin with ``name``, and add those for chips."""
    return (*(entry for entry in _ENGINE if not entry.startswith(name)), *requirements, *_CHIPS)


ENV_PROFILES = (
    EnvProfile("cpu", "Processor (OpenVINO, ONNX Runtime)", (*_ENGINE, *_CHIPS), _ACCELERATE, 350, 1100),
    EnvProfile(
        "cuda",
        "NVIDIA graphics card (ONNX Runtime for CUDA)",
        _replace("onnxruntime", "onnxruntime-gpu[cuda,cudnn]>=1.20"),
        _ACCELERATE,
        1900,
        3600,
    ),
    EnvProfile(
        "mindspore",
        "MindSpore (Ascend, processor)",
        _replace("numpy", "numpy>=1.25,<2", "mindspore>=2.7,<2.11"),
        _ACCELERATE,
        1200,
        3700,
        _MINDSPORE_PYTHONS,
    ),
)


def find_profile(name: str) -> EnvProfile:
    """Find a profile by its name; the first where there is none of that name."""
    return next((profile for profile in ENV_PROFILES if profile.name == name), ENV_PROFILES[0])
