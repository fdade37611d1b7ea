"""``qgis.core``, whose stand-ins are in two modules."""

from .base import *  # noqa: F403
from .processing import *  # noqa: F403


def __getattr__(name):
    """Make a class that cannot be used, for a name that the plugin imports and the tested windows do not need."""
    if not name.startswith("Qgs"):
        raise AttributeError(name)
    return type(name, (Absent,), {})


class Absent:
    def __init__(self, *_arguments):
        raise NotImplementedError(f"there is no stand-in for {type(self).__name__}")
