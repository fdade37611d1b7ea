"""The pool of sessions: reuse, eviction and closing."""

from dataclasses import replace

import numpy as np
import pytest
from terraspore.engine.errors import Cancelled, InferenceError, ModelError, OutOfMemoryError, OutputError
from terraspore.engine.protocol.options import RuntimeOptions
from terraspore.engine.runtimes import pool as module
from terraspore.engine.runtimes.base import OpenedSession, Session, SessionConfig
from terraspore.engine.runtimes.pool import SessionPool

OPTIONS = RuntimeOptions("cpu", "onnxruntime", "float32", threads=1)


class RecordingSession(Session):
    """A session which remembers whether it was closed."""

    def __init__(self, model, tile):
        super().__init__("onnxruntime", "float32", model.card, SessionConfig("cpu", tile))
        self.is_closed = False
        self.is_running = True

    def predict(self, tiles, batch=None):
        return np.zeros((len(tiles), self.classes, *self.shape[1:]), np.float32)

    def is_alive(self):
        return self.is_running

    def close(self):
        assert not self.is_closed
        self.is_closed = True


@pytest.fixture
def opened(monkeypatch):
    """The sessions which pools open, in order."""
    sessions = []

    def open_session(model, tile, options, *, cache, network_factory):
        sessions.append(RecordingSession(model, tile))
        return OpenedSession(sessions[-1], "because it is asked for")

    monkeypatch.setattr(module, "open_session", open_session)
    return sessions


def use(pool, model, tile=64, options=OPTIONS):
    with pool.open(model, options, tile) as (session, _):
        assert not session.is_closed
        return session


def test_a_session_is_reused_for_the_same_model_and_options(identity, opened):
    with SessionPool(8) as pool:
        first = use(pool, identity)
        assert use(pool, identity) is first
        others = [
            use(pool, identity, tile=32),
            use(pool, identity, options=replace(OPTIONS, threads=2)),
            use(pool, replace(identity, sha256="0" * 64)),
            use(pool, replace(identity, card=replace(identity.card, threshold=0.25))),
        ]
        assert len({id(session) for session in (first, *others)}) == 5
    assert all(session.is_closed for session in opened)


def test_without_capacity_a_session_is_closed_after_its_use(identity, opened):
    pool = SessionPool()
    assert use(pool, identity).is_closed
    assert use(pool, identity) is opened[1]


def test_the_least_recently_used_session_is_closed_before_another_is_opened(identity, opened):
    with SessionPool(2) as pool:
        first, second = use(pool, identity, 32), use(pool, identity, 64)
        use(pool, identity, 32)
        with pool.open(identity, OPTIONS, 96):
            assert second.is_closed
            assert not first.is_closed
        use(pool, identity, 128)
        assert first.is_closed
        assert [session.is_closed for session in opened] == [True, True, False, False]


@pytest.mark.parametrize("error", [InferenceError("x"), OutOfMemoryError("x"), RuntimeError("x"), KeyboardInterrupt()])
def test_an_exception_closes_the_session_in_use_and_no_other(identity, opened, error):
    with SessionPool(2) as pool:
        other = use(pool, identity, 32)
        with pytest.raises(type(error)), pool.open(identity, OPTIONS, 64):
            raise error
        assert opened[1].is_closed
        assert not other.is_closed
        assert use(pool, identity, 64) is opened[2]


@pytest.mark.parametrize("error", [Cancelled("x"), OutputError("x"), ModelError("x")])
def test_a_cancelled_run_and_a_users_mistake_leave_the_session_for_the_next(identity, opened, error):
    with SessionPool(2) as pool:
        with pytest.raises(type(error)), pool.open(identity, OPTIONS, 64):
            raise error
        assert use(pool, identity, 64) is opened[0]


def test_a_session_which_died_while_it_was_kept_is_replaced(identity, opened):
    with SessionPool(2) as pool:
        use(pool, identity).is_running = False
        assert use(pool, identity) is opened[1]
        assert opened[0].is_closed


def test_two_sessions_of_one_model_in_use_at_once_are_both_closed(identity, opened):
    with SessionPool(2) as pool:
        with pool.open(identity, OPTIONS, 64), pool.open(identity, OPTIONS, 64):
            pass
        assert len(opened) == 2
    assert all(session.is_closed for session in opened)


def test_a_failure_to_close_one_session_leaves_none_open(identity, opened):
    pool = SessionPool(2)
    first, second = use(pool, identity, 32), use(pool, identity, 64)

    def fail():
        first.is_closed = True
        raise OSError("no")

    first.close = fail
    with pytest.raises(OSError, match="no"):
        pool.close()
    assert second.is_closed


@pytest.mark.parametrize("when", ["between two uses", "during a use"])
def test_after_a_worker_is_killed_the_pool_opens_another(identity, when):
    options = RuntimeOptions("cpu", "onnxruntime-isolated", "float32", threads=1)
    tiles = np.full((1, 3, 64, 64), 125, np.uint8)

    def kill(session):
        session._worker._process.kill()
        session._worker._process.wait(60)

    def kill_and_use(session):
        kill(session)
        session.predict(tiles)

    with SessionPool(2) as pool:
        if when == "during a use":
            with pytest.raises(InferenceError, match="signal 9"), pool.open(identity, options, 64) as (session, _):
                kill_and_use(session)
        else:
            with pool.open(identity, options, 64) as (session, _):
                session.predict(tiles)
            kill(session)
        with pool.open(identity, options, 64) as (again, _):
            assert again is not session
            np.testing.assert_allclose(again.predict(tiles), 0.5, atol=1e-6)
        assert not session._worker.folder.exists()
    assert not again.is_alive()
