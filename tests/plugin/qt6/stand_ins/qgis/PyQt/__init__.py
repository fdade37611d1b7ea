"""``qgis.PyQt``: PyQt6's own modules, and nothing of Qt 5 under its former place."""

import sys

from PyQt6 import QtCore, QtGui, QtTest, QtWidgets, sip

for module in (QtCore, QtGui, QtTest, QtWidgets, sip):
    sys.modules[f"{__name__}.{module.__name__.split('.')[-1]}"] = module
