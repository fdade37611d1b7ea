"""The machine protocol between the engine and its callers: JSON objects, one a line.

``messages`` holds the messages, ``codec`` turns lines into checked messages and back. Both sides use this package, the
QGIS plugin as well, so it needs the standard library alone, runs on Python 3.9, and imports nothing else of the engine.
"""
