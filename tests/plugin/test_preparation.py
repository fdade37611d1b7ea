"""Preparing an environment: when it is due, what it leaves, and where kernels are kept."""

import os

import pytest
from conftest import HERE, write_program
from terraspore.plugin.engine import preparation
from terraspore.plugin.engine.environment import get_engine_python, get_kernels_folder, make_engine_env
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError
from terraspore.plugin.engine.install import InstallObserver, remove_environment
from terraspore.plugin.engine.pool import EnginePool
from terraspore.plugin.engine.preparation import is_preparation_due, prepare_engine
from terraspore.plugin.settings import Settings


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Settings with an environment of the plugin, whose interpreter starts the fake engine; it reports four steps."""
    monkeypatch.setenv("FAKE_ENGINE", "steps")
    found = Settings(environments=str(tmp_path / "environments"))
    python = get_engine_python(found)
    python.parent.mkdir(parents=True)
    write_program(python, f'python3 "{HERE / "fake_engine.py"}"')
    return found


@pytest.fixture
def vectors(tmp_path, monkeypatch):
    """A source file of kernels."""
    monkeypatch.setattr(preparation, "_VECTORS", tmp_path / "vector")
    path = tmp_path / "vector" / "kernels" / "graph.py"
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (1_000_000, 1_000_000))
    return path


def prepare(settings, shares=None, is_cancelled=lambda: False):
    pool = EnginePool()
    try:
        observer = InstallObserver(lambda _line: None, [].append if shares is None else shares.append, is_cancelled)
        prepare_engine(pool, settings, observer)
    finally:
        pool.close()


def test_it_is_due_once_and_again_after_an_update(own, vectors):
    shares = []
    assert is_preparation_due(own)
    prepare(own, shares)
    assert shares == [0.25, 0.5, 0.75, 1.0]
    assert not is_preparation_due(own)
    os.utime(vectors, (2_000_000, 2_000_000))
    assert is_preparation_due(own)


def test_a_failure_leaves_it_due(own, vectors, monkeypatch):
    monkeypatch.setenv("FAKE_ENGINE", "fail")
    with pytest.raises(EngineError, match="The file is no image"):
        prepare(own)
    assert is_preparation_due(own)


def test_a_cancel_says_that_what_was_compiled_is_kept(own, vectors, monkeypatch):
    monkeypatch.setenv("FAKE_ENGINE", "slow")
    shares = []
    with pytest.raises(EngineCancelledError, match=r"^Cancelled; what was compiled so far is kept") as caught:
        prepare(own, shares, is_cancelled=lambda: bool(shares))
    assert caught.value.code == "Cancelled"
    assert is_preparation_due(own)


def test_it_is_not_due_without_an_environment_nor_for_another_interpreter(own, tmp_path):
    assert not is_preparation_due(Settings(environments=str(tmp_path / "none")))
    assert not is_preparation_due(Settings(environments=own.environments, interpreter=str(get_engine_python(own))))


def test_kernels_of_an_older_version_are_removed_and_others_stay(own, vectors, monkeypatch):
    kernel = get_kernels_folder(own) / "kernels_1" / "trace-1.py311.1.nbc"
    kernel.parent.mkdir(parents=True)
    kernel.touch()
    monkeypatch.setenv("FAKE_ENGINE", "fail")
    with pytest.raises(EngineError):
        prepare(own)
    assert kernel.exists(), "of a preparation that was not finished"
    monkeypatch.setenv("FAKE_ENGINE", "steps")
    for _ in range(2):
        prepare(own)
        assert kernel.exists()
    os.utime(vectors, (2_000_000, 2_000_000))
    prepare(own)
    assert not kernel.exists()
    assert not is_preparation_due(own)


def test_kernels_are_kept_in_the_environment_and_go_with_it(own, tmp_path):
    prepare(own)
    folder = get_kernels_folder(own)
    assert make_engine_env(own)["NUMBA_CACHE_DIR"] == str(folder)
    environment = tmp_path / "environments" / "cpu"
    assert environment in folder.parents
    remove_environment(environment)
    assert not folder.exists()


def test_another_interpreter_has_its_kernels_in_the_cache(tmp_path):
    settings = Settings(interpreter="/usr/bin/python3", cache_folder=str(tmp_path), cache_megabytes=70)
    variables = make_engine_env(settings)
    assert variables["NUMBA_CACHE_DIR"] == str(tmp_path / "kernels")
    assert (variables["TERRASPORE_CACHE"], variables["TERRASPORE_CACHE_MEGABYTES"]) == (str(tmp_path), "70")
