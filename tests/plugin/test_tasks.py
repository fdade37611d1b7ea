"""Background tasks: the signals that a dialog gets at their end."""

import pytest
from event_loop import spin
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError


@pytest.fixture
def run_task(qgis_app):
    """A function that runs a function as a task to its end, and returns what the task emitted."""
    from terraspore.plugin.tasks import BackgroundTask

    def run(function):
        emitted = []
        task = BackgroundTask("A task", function)
        task.message.connect(lambda line: emitted.append(("message", line)))
        task.start(lambda value: emitted.append(("succeeded", value)), lambda text: emitted.append(("failed", text)))
        spin(lambda: emitted and emitted[-1][0] in ("succeeded", "failed"))
        return emitted

    return run


def fail(error):
    raise error


def test_value_and_messages(run_task):
    assert run_task(lambda task: task.log("a line") or [1, 2]) == [("message", "a line"), ("succeeded", [1, 2])]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (EngineError("It does not work.", "Repair it."), "It does not work. Repair it."),
        (EngineCancelledError("Cancelled; nothing was written."), "Cancelled; nothing was written."),
    ],
)
def test_engine_error_is_its_sentence(run_task, error, text):
    assert run_task(lambda _task: fail(error)) == [("failed", text)]


@pytest.mark.parametrize("error", [KeyError("tile"), OSError(13, "Permission denied", "/a/b"), RuntimeError("odd")])
def test_other_errors_are_reported_as_what_they_are_and_not_as_a_cancel(run_task, error, qgis_app):
    logged = []
    qgis_app.messageLog().messageReceived.connect(lambda text, _tag, _level: logged.append(text))
    ((kind, text),) = run_task(lambda _task: fail(error))
    assert kind == "failed"
    assert f"{type(error).__name__}: {error}" in text
    assert "cancelled" not in text
    spin(lambda: any("Traceback" in line and "in fail" in line for line in logged))


def test_task_that_is_cancelled_before_it_runs(qgis_app):
    """QGIS calls ``finished`` then, without ``run``."""
    from terraspore.plugin.tasks import BackgroundTask

    emitted = []
    task = BackgroundTask("A task", lambda _task: None)
    task.failed.connect(emitted.append)
    task.finished(False)
    assert emitted == ["The task was cancelled."]
