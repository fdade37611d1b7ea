"""Texts in the user's language, from ``resources/i18n/terraspore_<language>.qm``."""

from __future__ import annotations

from .paths import TRANSLATIONS

try:
    from qgis.core import QgsApplication
    from qgis.PyQt.QtCore import QCoreApplication, QLocale, QSettings, QTranslator
except ImportError:  # the modules of ``plugin.engine`` that need no QGIS are used without it, in English
    QCoreApplication = None

CONTEXT = "TerraSpore"


def tr(text: str) -> str:
    """Translate ``text``."""
    return text if QCoreApplication is None else QCoreApplication.translate(CONTEXT, text)


def get_language() -> str:
    """Return the code of QGIS's language, from ``--lang``, its settings or the system, in this order."""
    shown = QgsApplication.instance().translation()
    if shown:
        return shown
    settings = QSettings()  # without a desktop QGIS loads no translation and names none
    if settings.value("locale/overrideFlag", defaultValue=False, type=bool):
        return settings.value("locale/userLocale", "", type=str)
    return QLocale.system().name()


def install_translator() -> QTranslator | None:
    """Install the translation for QGIS's language.

    Returns:
        The translator, which has to be removed when the plugin is unloaded; None where there is no translation.
    """
    name = get_language()
    for language in (name, name[:2]):
        translator = QTranslator()
        if language and translator.load(str(TRANSLATIONS / f"terraspore_{language}.qm")):
            QCoreApplication.installTranslator(translator)
            return translator
    return None
