"""The engine as a process of its own: how it is started, spoken to, watched and ended. No QGIS in here."""
