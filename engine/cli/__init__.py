"""The command line of the engine."""

from .main import run

__all__ = ["run"]
