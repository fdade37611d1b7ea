"""Fields and behaviour that the dialogs share: spin boxes of the engine's declared options, and resizing."""

from __future__ import annotations

from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QComboBox, QDialog, QDoubleSpinBox, QSpinBox, QWidget

from ...engine.protocol.declaration import Option
from ..processing.parameters import get_range


class OptionSpinBox(QDoubleSpinBox):
    """A number of a declared option; the lowest value, one step below the range, leaves the choice to the engine.

    Args:
        option: the declaration: range and whether it is a whole number.
        empty: text for the lowest value.
        parent: the dialog.
        step: step of the arrows; None for one that fits the range.
    """

    def __init__(self, option: Option, empty: str, parent: QWidget, step: float | None = None) -> None:
        super().__init__(parent)
        minimum, maximum = get_range(option)
        is_whole = option.kind == "int"
        step = step or (0.05 if maximum <= 1 and not is_whole else 1.0)
        self._empty = minimum - step
        self.setDecimals(0 if is_whole else 2)
        self.setRange(self._empty, maximum)
        self.setSingleStep(step)
        self.setSpecialValueText(empty)
        self.clear_value()

    def clear_value(self) -> None:
        """Leave the choice to the engine."""
        self.setValue(self._empty)

    def get_value(self) -> float | int | None:
        """Return the number, None where the choice is left to the engine."""
        if self.value() <= self._empty:
            return None
        return self.value() if self.decimals() else int(self.value())


def make_count_box(parent: QWidget, maximum: int, empty: str, step: int = 1) -> QSpinBox:
    """Make a spin box of a setting whose value 0 stands for ``empty``."""
    spin = QSpinBox(parent)
    spin.setRange(0, maximum)
    spin.setSingleStep(step)
    spin.setSpecialValueText(empty)
    return spin


def make_suggestion_box(option: Option, parent: QWidget) -> QComboBox:
    """Make a choice of the values that a declared option suggests."""
    box = QComboBox(parent)
    box.addItems(option.info.suggestions)
    return box


class DialogResizer(QTimer):
    """Fits a dialog to what it shows, at the next event: what was hidden has its size until then.

    Args:
        dialog: the dialog, with which this is deleted.
    """

    def __init__(self, dialog: QDialog) -> None:
        super().__init__(dialog)
        self.setSingleShot(True)
        self.timeout.connect(dialog.adjustSize)

    def schedule(self, *_changed: object) -> None:
        """Fit the dialog soon; a slot for any signal."""
        self.start(0)
