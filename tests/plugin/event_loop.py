"""Waiting while Qt's events are served."""

import time

from qgis.PyQt.QtCore import QCoreApplication, QEvent
from waiting import wait_for


def spin(condition, seconds=300.0):
    """Serve events, deletions among them, until ``condition()`` holds; fail after ``seconds``."""
    return wait_for(condition, seconds, _serve)


def _serve():
    QCoreApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    time.sleep(0.005)
