"""Settings: what was set is there again, what was damaged is the default, variables come first."""

import dataclasses

import pytest
from qgis.core import QgsSettings


@pytest.fixture
def module(qgis_app):
    from terraspore.plugin import settings

    settings.reset_settings()
    yield settings
    settings.reset_settings()


def test_what_was_set_is_there_again(module):
    wanted = module.Settings(interpreter="/a b/python", threads=3, device="cuda", keep_minutes=0)
    module.save_settings(wanted)
    assert module.load_settings({}) == wanted
    assert module.reset_settings() == module.load_settings({}) == module.Settings()


def test_only_what_differs_from_the_default_is_kept(module):
    module.save_settings(module.Settings(threads=3))
    store = QgsSettings()
    store.beginGroup("terraspore")
    assert store.allKeys() == ["threads"]


@pytest.mark.parametrize("value", ["x", None, -5, [], "1e9"])
def test_damaged_values_are_the_default_or_its_limit(module, value):
    QgsSettings().setValue("terraspore/threads", value)
    assert module.load_settings({}).threads == 0


def test_variables_come_first(module):
    module.save_settings(module.Settings(device="cuda"))
    found = module.load_settings({"TERRASPORE_DEVICE": "cpu", "TERRASPORE_TILE": "256"})
    assert (found.device, found.tile) == ("cpu", 256)


def test_page_shows_and_keeps_every_setting(module, plugin):
    from terraspore.plugin.options.page import OptionsPage

    wanted = module.Settings(
        interpreter="/x/python", family="cuda", base_python="/y/python", device="cpu", runtime="openvino", threads=2,
        tile=512, models_folder="/m", cache_folder="/c", keep_minutes=3, unresponsive_seconds=33,
    )  # fmt: skip
    module.save_settings(wanted)
    page = OptionsPage(plugin.context, None)
    shown = page.gather()
    assert dataclasses.asdict(shown) == dataclasses.asdict(wanted)
    page.performance.threads.setValue(5)
    page.apply()
    assert module.load_settings({}) == dataclasses.replace(wanted, threads=5)


def test_proxy_of_qgis_reaches_the_installer(module):
    from terraspore.plugin.engine_setup import installer_environment, proxy_variables

    assert proxy_variables() == {}
    store = QgsSettings()
    values = {"proxyEnabled": True, "proxyHost": "proxy.local", "proxyPort": "8080", "proxyType": "HttpProxy"}
    for name, value in {**values, "proxyUser": "me@work", "proxyPassword": "a:b"}.items():
        store.setValue(f"proxy/{name}", value)
    try:
        assert installer_environment()["HTTPS_PROXY"] == "http://me%40work:a%3Ab@proxy.local:8080"
    finally:
        store.remove("proxy")
