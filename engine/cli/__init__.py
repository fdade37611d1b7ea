"""The command line of the engine."""

from .main import run
