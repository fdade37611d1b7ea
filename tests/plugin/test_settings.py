"""Settings: saving and loading, damaged values, environment variables, and the options page."""

import dataclasses
import os

import pytest
from event_loop import spin
from qgis.core import QgsSettings


@pytest.fixture
def module(qgis_app):
    from terraspore.plugin import settings

    settings.save_settings(settings.Settings())
    yield settings
    settings.save_settings(settings.Settings())


def test_settings_are_saved_and_loaded(module):
    wanted = module.Settings(interpreter="/a b/python", threads=3, device="cuda", keep_minutes=0)
    module.save_settings(wanted)
    assert module.load_settings({}) == wanted
    module.save_settings(module.Settings())
    assert module.load_settings({}) == module.Settings()


def test_only_values_that_differ_from_the_default_are_stored(module):
    module.save_settings(module.Settings(threads=3))
    store = QgsSettings()
    store.beginGroup("terraspore")
    assert store.allKeys() == ["threads"]


@pytest.mark.parametrize("value", ["x", None, -5, [], "1e9"])
def test_damaged_values_become_the_default_or_its_limit(module, value):
    QgsSettings().setValue("terraspore/threads", value)
    assert module.load_settings({}).threads == 0


def test_environment_variables_override_the_profile(module):
    module.save_settings(module.Settings(device="cuda"))
    found = module.load_settings({"TERRASPORE_DEVICE": "cpu", "TERRASPORE_TILE": "256"})
    assert (found.device, found.tile) == ("cpu", 256)


def test_page_shows_and_keeps_every_setting(module, plugin):
    from terraspore.plugin.options.page import OptionsPage

    wanted = module.Settings(
        interpreter="/x/python", env_profile="cuda", base_python="/y/python", device="cpu", runtime="openvino",
        threads=2, memory=3000, tile=512, models_folder="/m", cache_folder="/c", cache_megabytes=700, keep_minutes=3,
        unresponsive_seconds=33, package_index="https://mirror.example/simple",
    )  # fmt: skip
    module.save_settings(wanted)
    page = OptionsPage(plugin.context, None)
    shown = page.gather()
    assert dataclasses.asdict(shown) == dataclasses.asdict(wanted)
    page.performance.numbers["threads"].setValue(5)
    page.apply()
    assert module.load_settings({}) == dataclasses.replace(wanted, threads=5)


def test_restored_defaults_are_saved_with_ok_alone(module, plugin):
    from terraspore.plugin.options.page import OptionsPage

    changed = module.Settings(threads=3, device="cpu", interpreter="/x/python")
    module.save_settings(changed)
    page = OptionsPage(plugin.context, None)
    page._reset.click()
    assert page.gather() == module.Settings()
    assert module.load_settings({}) == changed
    page.apply()
    assert module.load_settings({}) == module.Settings()


def test_proxy_of_qgis_reaches_the_installer(module):
    from terraspore.plugin.engine.environment import get_proxy_variables, make_installer_env

    assert get_proxy_variables() == {}
    store = QgsSettings()
    values = {"proxyEnabled": True, "proxyHost": "proxy.local", "proxyPort": "8080", "proxyType": "HttpProxy"}
    for name, value in {**values, "proxyUser": "me@work", "proxyPassword": "a:b"}.items():
        store.setValue(f"proxy/{name}", value)
    try:
        assert make_installer_env()["HTTPS_PROXY"] == "http://me%40work:a%3Ab@proxy.local:8080"
    finally:
        store.remove("proxy")


def write_cache(folder, **sizes):
    """Files of so many bytes, the first one used longest ago."""
    folder.mkdir(parents=True, exist_ok=True)
    for age, (name, size) in enumerate(sizes.items()):
        path = folder / name.replace("_", ".")
        path.write_bytes(b"x" * size)
        os.utime(path, (1_000_000 + age, 1_000_000 + age))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_page_shows_the_size_of_the_cache_and_empties_it(module, plugin, tmp_path):
    from terraspore.plugin.options.page import OptionsPage

    write_cache(tmp_path / "cache", a_blob=3_000_000, b_json=1_200_000, mine_txt=9)
    module.save_settings(module.Settings(cache_folder=str(tmp_path / "cache")))
    page = OptionsPage(plugin.context, None)
    assert page.performance._cache_size.text() == "4 MB in use"
    page.performance.clear.click()
    assert page.performance._cache_size.text() == "0 MB in use"
    assert names(tmp_path / "cache") == ["mine.txt"]


def test_page_may_be_closed_while_its_task_runs(module, plugin, monkeypatch, fake_python):
    from qgis.PyQt import sip
    from terraspore.plugin.options.page import OptionsPage

    monkeypatch.setenv("FAKE_ENGINE", "steps")
    module.save_settings(module.Settings(interpreter=str(fake_python), keep_minutes=0))
    page = OptionsPage(plugin.context, None)
    page.engine.test.click()
    # Messages before the deletion may have been delivered already; the end is delivered by the event loop only.
    values, task = [], page.engine._task
    task.succeeded.connect(values.append)
    sip.delete(page)
    spin(lambda: values)
    assert values == ["Done."]
