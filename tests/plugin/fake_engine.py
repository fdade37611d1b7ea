"""A stand-in for the engine that speaks the machine protocol and fails on request.

Used where the real engine cannot be made to fail in a given way: ``python fake_engine.py serve``. The behaviour is the
first argument of a run, or the variable FAKE_ENGINE.
"""

import json
import os
import signal
import sys
import threading

PLAN = {
    "type": "plan", "tiles": 4, "width": 100, "height": 80, "resolution": 1.0, "tile": 64, "overlap": 16,
    "model": "fake", "runtime": "none", "device": "cpu", "reason": "it is the only one", "memory_bytes": 1000000,
    "seconds": 2.5,
}  # fmt: skip
cancelled = threading.Event()
pings = threading.Semaphore(0)


def emit(run, **event):
    print(json.dumps({**event, "id": run}), flush=True)


def hang():
    threading.Event().wait()


def run_command(run, arguments):  # noqa: PLR0912 (one branch for each behaviour)
    behaviour = os.environ.get("FAKE_ENGINE") or arguments[0]
    if behaviour == "echo":
        summary = {"pid": os.getpid()}
        emit(run, type="result", outputs={}, summary=summary, seconds=0, text=json.dumps(arguments))
    elif behaviour == "steps":
        emit(run, **PLAN)
        for done in range(1, 5):
            emit(run, type="progress", stage="infer", done=done, total=4, rate=10.0, eta=0.1)
        emit(run, type="message", text="A remark.", level="warning")
        print("native library says hello", flush=True)
        print("words for people", file=sys.stderr, flush=True)
        summary = {"features": 3, "length_km": 1.25}
        warnings = ["A remark."]
        emit(run, type="result", outputs={}, summary=summary, seconds=0.5, text="Done.", warnings=warnings)
    elif behaviour == "sentences":
        emit(run, type="message", text=arguments[1], level="info")
        emit(run, type="result", outputs={}, summary={}, seconds=0.5, text=arguments[2], warnings=[arguments[3]])
    elif behaviour == "fail":
        emit(run, type="error", code="SourceError", text="The file is no image.", hint="Choose another.", exit_code=2)
    elif behaviour == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif behaviour == "exit":
        print("the last words", file=sys.stderr, flush=True)
        os._exit(7)
    elif behaviour == "import":
        print("ModuleNotFoundError: No module named 'rasterio'", file=sys.stderr, flush=True)
        os._exit(1)
    elif behaviour == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif behaviour == "hang":
        emit(run, type="progress", stage="infer", done=1, total=1000)
        hang()
    elif behaviour == "pings":  # ends when it has been pinged three times
        for _ in range(3):
            pings.acquire()
        emit(run, type="result", outputs={}, summary={}, seconds=0.5, text="Pinged.")
    elif behaviour == "slow":
        while not cancelled.wait(0.05):
            emit(run, type="progress", stage="infer", done=1, total=1000)
        cancelled.clear()
        emit(run, type="error", code="Cancelled", text="Cancelled; nothing was written.", hint=None, exit_code=3)
    elif behaviour == "garbage":
        for _ in range(2000):
            print("\x00\x01 no protocol at all", flush=True)
        hang()
    elif behaviour == "huge":
        for _ in range(100):
            sys.stdout.write("x" * 1_000_000)
        hang()
    elif behaviour == "wrong":
        print(json.dumps({"id": run, **json.loads(arguments[1])}), flush=True)
        hang()


def main():
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "ping":
            print(json.dumps({"type": "pong"}), flush=True)
            pings.release()  # after the pong, whose line the result of the other thread would else break up
        elif message["type"] == "cancel":
            cancelled.set()
        else:
            arguments = (message["id"], message["arguments"])
            threading.Thread(target=run_command, args=arguments, daemon=True).start()
    os._exit(3)


if __name__ == "__main__":
    main()
