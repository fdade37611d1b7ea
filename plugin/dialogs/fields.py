"""Widgets that the dialogs and the options page share: fields, buttons, rows, and the frame of a dialog."""

from __future__ import annotations

from html import escape
from typing import Any, Callable, Union

from qgis.core import QgsMapLayerProxyModel
from qgis.gui import QgsFileWidget, QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtGui import QDoubleValidator, QResizeEvent
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ...engine.protocol.declaration import Option
from ..i18n import tr
from ..processing.parameters import LARGEST_SIGNED, get_range


class OptionSpinBox(QDoubleSpinBox):
    """A number of a declared option; the lowest value, one step below the range, leaves the choice to the engine.

    Args:
        option: the declaration: range and whether it is a whole number.
        empty: text for the lowest value.
        parent: the dialog.
    """

    def __init__(self, option: Option, empty: str, parent: QWidget) -> None:
        super().__init__(parent)
        minimum, maximum = get_range(option)
        is_whole = option.kind == "int"
        is_share = maximum <= 1 and not is_whole
        step = 0.05 if is_share else 1.0
        self._empty = minimum - step
        self.setDecimals(0 if is_whole else 6 if is_share else 2)
        self.setRange(self._empty, maximum)
        self.setSingleStep(step)
        self.setSpecialValueText(empty)
        self.setValue(self._empty)

    def get_value(self) -> float | int | None:
        """Return the number, None where the choice is left to the engine."""
        if self.value() <= self._empty:
            return None
        return self.value() if self.decimals() else int(self.value())


class OptionNumberEdit(QLineEdit):
    """A number of a declared option without a range, which no spin box can show; left empty, the engine decides.

    Args:
        empty: text while it is empty.
        parent: the dialog.
    """

    def __init__(self, empty: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setPlaceholderText(empty)
        self.setValidator(QDoubleValidator(self))

    def get_value(self) -> float | None:
        """Return the number, None where the choice is left to the engine."""
        return self.locale().toDouble(self.text())[0] if self.hasAcceptableInput() else None


class OptionCheckBox(QCheckBox):
    """A yes-or-no of a declared option.

    Args:
        option: the declaration.
        parent: the dialog.
    """

    def __init__(self, option: Option, parent: QWidget) -> None:
        super().__init__(parent)
        self._default = bool(option.default)
        self.setChecked(self._default)

    def get_value(self) -> bool | None:
        """Return whether the box is checked, None where it is as the engine has it."""
        return None if self.isChecked() == self._default else self.isChecked()


class OptionComboBox(QComboBox):
    """A choice of a declared option; the first entry leaves it to the engine.

    Args:
        option: the declaration.
        empty: text of the first entry.
        parent: the dialog.
    """

    def __init__(self, option: Option, empty: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.addItem(empty, None)
        for value in option.info.choices:
            self.addItem(value, value)

    def get_value(self) -> str | None:
        """Return the choice, None where it is left to the engine."""
        return self.currentData()


class OptionItemsEdit(QLineEdit):
    """Words of a declared option, with commas between them; left empty, the engine decides.

    Args:
        empty: text while it is empty.
        parent: the dialog.
    """

    def __init__(self, empty: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setPlaceholderText(empty)

    def get_value(self) -> str | None:
        """Return the words, None where the choice is left to the engine."""
        return self.text().strip() or None


class OptionLayerBox(QgsMapLayerComboBox):
    """A layer of the project for a declared option; the first entry is none.

    Args:
        option: the declaration.
        parent: the dialog.
    """

    def __init__(self, option: Option, parent: QWidget) -> None:
        super().__init__(parent)
        filters = QgsMapLayerProxyModel.Filter
        self.setAllowEmptyLayer(True)
        self.setFilters(filters.LineLayer if option.info.holds == "lines" else filters.RasterLayer)
        self.setLayer(None)

    def get_value(self) -> str | None:
        """Return the id of the layer; None for none."""
        layer = self.currentLayer()
        return None if layer is None else layer.id()


#: Field of a declared option; ``get_value`` gives None where the choice is left to the engine.
OptionField = Union[OptionSpinBox, OptionNumberEdit, OptionItemsEdit, OptionCheckBox, OptionComboBox, OptionLayerBox]


def make_option_field(option: Option, empty: str, parent: QWidget) -> OptionField:
    """Make the field of a declared number, choice, yes-or-no, list or layer; ``empty`` leaves it to the engine."""
    if option.info.holds:
        return OptionLayerBox(option, parent)
    if option.kind == "bool":
        return OptionCheckBox(option, parent)
    if option.info.choices:
        return OptionComboBox(option, empty, parent)
    if option.info.items:
        return OptionItemsEdit(empty, parent)
    if get_range(option)[0] == -LARGEST_SIGNED:
        return OptionNumberEdit(empty, parent)
    return OptionSpinBox(option, empty, parent)


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


def make_file_widget(parent: QWidget, mode: QgsFileWidget.StorageMode, empty: str = "") -> QgsFileWidget:
    """Make a field for a path; ``empty`` is shown while there is none."""
    widget = QgsFileWidget(parent)
    widget.setStorageMode(mode)
    widget.lineEdit().setPlaceholderText(empty)
    return widget


def make_button(parent: QWidget, text: str, clicked: Callable[[], Any]) -> QPushButton:
    """Make a button that calls ``clicked``."""
    button = QPushButton(text, parent)
    button.clicked.connect(lambda _checked=False: clicked())
    return button


class WrappedLabel(QLabel):
    """A text that is as high as it is at its width, so that windows grow with it; ``QLabel`` cuts it off.

    Args:
        parent: its owner.
        text: what it shows at first.
        lines: least height in lines.
    """

    def __init__(self, parent: QWidget, text: str = "", *, lines: int = 1) -> None:
        super().__init__(text, parent)
        self._least = lines * self.fontMetrics().lineSpacing()
        self.setWordWrap(True)
        self.setMinimumHeight(self._least)

    def setText(self, text: str) -> None:  # noqa: N802
        """Show ``text``, and take its height."""
        super().setText(text)
        if self.isVisible():  # it has no width before
            self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Take the height of the text at the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.setFixedHeight(max(self.heightForWidth(self.width()), self._least))


def make_note(parent: QWidget, show_options: Callable[[], Any]) -> WrappedLabel:
    """Make a text of two lines or more whose link calls ``show_options``."""
    note = WrappedLabel(parent, lines=2)
    note.linkActivated.connect(lambda _link: show_options())
    return note


def add_options_link(text: str) -> str:
    """Return the plain ``text`` with a link to the plugin's options after it, for a note."""
    return f'{escape(text)} <a href="options">{tr("Open the options")}</a>'


def make_row(*widgets: QWidget, stretched: QWidget | None = None) -> QHBoxLayout:
    """Lay out ``widgets`` side by side; ``stretched`` takes the free room, which else stays at the end."""
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, int(widget is stretched))
    if stretched is None:
        row.addStretch(1)
    return row


class FormDialog(QDialog):
    """A dialog with OK and Cancel that is deleted when it is closed.

    Args:
        name: its object name, without the plugin's.
        title: its title in the user's language.
        parent: its owner.
    """

    def __init__(self, name: str, title: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName(f"terraspore-{name}")
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)  # without a parent: last in the tab order
        self.ok = self.buttons.button(buttons.Ok)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._resize_timer = QTimer(self)
        self._resize_timer.setSingleShot(True)
        self._resize_timer.timeout.connect(self.adjustSize)

    def lay_out_column(self, form: QLayout, *widgets: QWidget, width: int) -> None:
        """Lay out ``form``, ``widgets`` and the buttons below each other, at least ``width`` pixels wide."""
        column = QVBoxLayout(self)
        column.addLayout(form)
        for widget in widgets:
            column.addWidget(widget)
        column.addStretch(1)
        column.addWidget(self.buttons)
        self.setMinimumWidth(width)

    def schedule_resize(self, *_changed: object) -> None:
        """Fit the dialog to what it shows, at the next event: what was hidden has its size until then."""
        self._resize_timer.start(0)
