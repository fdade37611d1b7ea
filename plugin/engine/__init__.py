"""The engine's process and its environment, as seen from QGIS.

``process`` and ``pool`` run the engine, ``environment`` turns the settings into its command, ``install`` makes the
virtual environment that it runs in, and ``models`` lists what it can run. Only ``environment`` needs QGIS.
"""
