"""Texts in the person's language: ``resources/i18n/terraspore_<language>.qm``."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication, QLocale, QSettings, QTranslator

from .paths import TRANSLATIONS

CONTEXT = "TerraSpore"


def tr(text: str) -> str:
    """``text`` in the person's language."""
    return QCoreApplication.translate(CONTEXT, text)


def install_translator() -> QTranslator | None:
    """Load the translation for QGIS's language and install it; None where there is none.

    Returns:
        The translator; whoever unloads the plugin removes it.
    """
    settings = QSettings()
    override = settings.value("locale/overrideFlag", defaultValue=False, type=bool)
    name = settings.value("locale/userLocale", "", type=str) if override else QLocale.system().name()
    for language in (name, name[:2]):
        translator = QTranslator()
        if language and translator.load(str(TRANSLATIONS / f"terraspore_{language}.qm")):
            QCoreApplication.installTranslator(translator)
            return translator
    return None
