"""The cache of compiled models and measurements."""

import os

import numpy as np
from terraspore.engine.runtimes import cache as module
from terraspore.engine.runtimes.cache import (
    cache_key,
    cache_limit,
    default_cache_folder,
    load_entry,
    load_measurements,
    store_entry,
    store_measurements,
)
from windows_files import windows_rules


def test_entries_come_back_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "deep" / "cache"
    store_entry(folder, "a.blob", b"content")
    assert load_entry(folder, "a.blob").tobytes() == b"content"
    assert load_entry(folder, "b.blob") is None
    assert load_entry(None, "a.blob") is None
    path = folder / "a.blob"
    for damaged in (path.read_bytes()[:-1], path.read_bytes() + b"x", b""):
        path.write_bytes(damaged)
        assert load_entry(folder, "a.blob") is None
    assert [entry.name for entry in folder.iterdir()] == ["a.blob"]


def test_figures_come_back(tmp_path):
    store_measurements(tmp_path, "a.json", {"x": 1.5})
    assert load_measurements(tmp_path, "a.json") == {"x": 1.5}
    assert load_measurements(tmp_path, "b.json") == {}


def store_models(folder, **megabytes):
    """Compiled models of so many megabytes, the first one used longest ago."""
    for age, (name, size) in enumerate(megabytes.items()):
        store_entry(folder, f"{name}.blob", b"x" * (size * 1_000_000))
        os.utime(folder / f"{name}.blob", (100 + age, 100 + age))


def list_names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_least_recently_used_compiled_models_go(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASPORE_CACHE_MEGABYTES", "5")
    store_measurements(tmp_path, "m.json", {"x": 1.0})
    store_models(tmp_path, a=2, b=2)
    assert load_entry(tmp_path, "a.blob") is not None  # used now, so b is the oldest
    store_models(tmp_path, c=2)
    assert list_names(tmp_path) == ["a.blob", "c.blob", "m.json"]


def test_a_compiled_model_larger_than_the_limit_is_kept_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASPORE_CACHE_MEGABYTES", "2")
    store_models(tmp_path, a=1, b=3)
    assert list_names(tmp_path) == ["b.blob"]


def test_without_a_limit_all_compiled_models_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASPORE_CACHE_MEGABYTES", "0")
    store_models(tmp_path, a=1, b=1, c=1)
    assert list_names(tmp_path) == ["a.blob", "b.blob", "c.blob"]


def test_the_oldest_measurements_go(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_MEASUREMENTS", 2)
    for age, name in enumerate(("a.json", "b.json", "c.json")):
        store_measurements(tmp_path, name, {"x": 1.0})
        os.utime(tmp_path / name, (100 + age, 100 + age))
    assert list_names(tmp_path) == ["b.json", "c.json"]


def test_the_limit_is_two_gigabytes_unless_the_variable_holds_a_number():
    assert cache_limit({}) == cache_limit({"TERRASPORE_CACHE_MEGABYTES": "much"}) == 2_000_000_000
    assert cache_limit({"TERRASPORE_CACHE_MEGABYTES": "7"}) == 7_000_000


def test_an_entry_in_use_does_not_end_the_removal_of_old_ones(tmp_path, monkeypatch):
    """Windows removes no mapped file."""
    monkeypatch.setenv("TERRASPORE_CACHE_MEGABYTES", "3")
    store_models(tmp_path, a=1, b=1)
    refused = []
    with windows_rules(refused.append):
        mapped = np.memmap(tmp_path / "b.blob", np.uint8, "r")
        store_models(tmp_path, d=3)
    assert len(refused) == 1
    assert mapped[0] == ord("x")
    assert list_names(tmp_path) == ["b.blob", "d.blob"]


def test_keys_differ_where_any_part_does():
    assert len({cache_key("a", "b"), cache_key("ab"), cache_key("a", "b", ""), cache_key("b", "a")}) == 4


def test_the_folder_of_the_cache(tmp_path):
    assert default_cache_folder({"TERRASPORE_CACHE": str(tmp_path)}) == tmp_path
    assert default_cache_folder({"TERRASPORE_CACHE": "", "HOME": "/home/me"}) is None
    assert default_cache_folder({}) is None
    assert default_cache_folder({"HOME": "/home/me", "LOCALAPPDATA": "/home/me"}).name == "terraspore"
