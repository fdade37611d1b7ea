"""Stand-ins for QGIS's Python modules on PyQt6: the classes that the plugin's windows use, with what they use of them.

No QGIS 4 can be installed where the tests run, but PyQt6 can. Qt is the real Qt 6; names and enums of QGIS are those
of its PyQt6 bindings, and functions that take an enum refuse anything else, as sip does there.
"""
