"""The cache of compiled models and measurements."""

import os

import numpy as np
from terraspore.engine.runtimes import cache as module
from terraspore.engine.runtimes.cache import (
    cache_key,
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


def test_the_least_recently_used_compiled_models_go(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_MODELS", 2)
    for age, name in enumerate(("a.blob", "b.blob")):
        store_entry(tmp_path, name, b"x")
        os.utime(tmp_path / name, (100 + age, 100 + age))
    assert load_entry(tmp_path, "a.blob") is not None  # used now, so b is the oldest
    store_entry(tmp_path, "c.blob", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.blob", "c.blob"]


def test_an_entry_in_use_does_not_end_the_removal_of_old_ones(tmp_path, monkeypatch):
    """Windows removes no mapped file."""
    monkeypatch.setattr(module, "MAX_MODELS", 1)
    for age, name in enumerate(("a.blob", "b.blob", "c.blob")):
        (tmp_path / name).write_bytes(b"x" * 40)
        os.utime(tmp_path / name, (100 + age, 100 + age))
    refused = []
    with windows_rules(refused.append):
        mapped = np.memmap(tmp_path / "b.blob", np.uint8, "r")
        store_entry(tmp_path, "d.blob", b"x")
    assert len(refused) == 1
    assert mapped[0] == ord("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.blob", "d.blob"]


def test_keys_differ_where_any_part_does():
    assert len({cache_key("a", "b"), cache_key("ab"), cache_key("a", "b", ""), cache_key("b", "a")}) == 4


def test_the_folder_of_the_cache(tmp_path):
    assert default_cache_folder({"TERRASPORE_CACHE": str(tmp_path)}) == tmp_path
    assert default_cache_folder({"TERRASPORE_CACHE": "", "HOME": "/home/me"}) is None
    assert default_cache_folder({}) is None
    assert default_cache_folder({"HOME": "/home/me", "LOCALAPPDATA": "/home/me"}).name == "terraspore"
