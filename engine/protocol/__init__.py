"""What the engine and the QGIS plugin share: the machine protocol, and the rule for the default model.

``messages`` holds the messages of the protocol, ``codec`` turns lines of JSON into checked messages and back. Both
sides import this package, the plugin in QGIS's own Python, so it needs the standard library alone, runs on Python 3.9,
and imports nothing else of the engine.
"""
