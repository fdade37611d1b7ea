"""The plugin's algorithms as QGIS's toolbox runs them."""

from qgis.core import QgsProcessingFeedback


class Feedback(QgsProcessingFeedback):
    """Keeps what an algorithm says."""

    def __init__(self):
        super().__init__(False)
        self.lines, self.warnings, self.shares = [], [], []
        self.progressChanged.connect(self.shares.append)

    def pushInfo(self, info):  # noqa: N802
        self.lines.append(info)

    def pushWarning(self, warning):  # noqa: N802
        self.warnings.append(warning)

    def pushConsoleInfo(self, info):  # noqa: N802
        pass


def run_algorithm(algorithm, feedback=None, **parameters):
    """Run an algorithm of the plugin, which is registered, and return its results."""
    import processing

    return processing.run(f"terraspore:{algorithm}", parameters, feedback=feedback or Feedback())
