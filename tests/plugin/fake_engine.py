"""A stand-in for the engine that speaks the machine protocol and misbehaves on request.

Used where the real engine cannot be made to fail in a given way: ``python fake_engine.py serve``; what it does is
the first word of a run's arguments, or the variable FAKE_ENGINE.
"""

import json
import os
import signal
import sys
import threading
import time

PLAN = {
    "type": "plan", "tiles": 4, "width": 100, "height": 80, "resolution": 1.0, "tile": 64, "overlap": 16,
    "model": "fake", "runtime": "none", "device": "cpu", "reason": "it is the only one", "memory_bytes": 1000000,
    "seconds": 2.5,
}  # fmt: skip
cancelled = threading.Event()


def say(run, **event):
    print(json.dumps({**event, "id": run}), flush=True)


def result(run, **outputs):
    say(run, type="result", outputs=outputs, summary={"features": 3, "length_km": 1.25}, seconds=0.5, text="Done.")


def work(run, words):  # noqa: PLR0912 (one line for each way to fail)
    how = os.environ.get("FAKE_ENGINE") or words[0]
    if how == "echo":
        say(run, type="result", outputs={}, summary={"pid": os.getpid()}, seconds=0, text=json.dumps(words))
    elif how == "steps":
        say(run, **PLAN)
        for done in range(1, 5):
            say(run, type="progress", stage="infer", done=done, total=4, rate=10.0, eta=0.1)
        say(run, type="message", text="A remark.", level="warning")
        print("native library says hello", flush=True)
        print("words for people", file=sys.stderr, flush=True)
        result(run)
    elif how == "fail":
        say(run, type="error", code="SourceError", text="The file is no image.", hint="Choose another.", exit_code=2)
    elif how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        print("the last words", file=sys.stderr, flush=True)
        os._exit(7)
    elif how == "import":
        print("ModuleNotFoundError: No module named 'rasterio'", file=sys.stderr, flush=True)
        os._exit(1)
    elif how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "stall":
        time.sleep(1000)
    elif how == "slow":
        while not cancelled.wait(0.05):
            say(run, type="progress", stage="infer", done=1, total=1000)
        cancelled.clear()
        say(run, type="error", code="Cancelled", text="Cancelled; nothing was written.", hint=None, exit_code=3)
    elif how == "garbage":
        for _ in range(2000):
            print("\x00\x01 no protocol at all", flush=True)
        time.sleep(1000)
    elif how == "huge":
        for _ in range(100):
            sys.stdout.write("x" * 1_000_000)
        time.sleep(1000)
    elif how == "wrong":
        print(json.dumps({"id": run, **json.loads(words[1])}), flush=True)
        time.sleep(1000)


def main():
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "ping":
            print(json.dumps({"type": "pong"}), flush=True)
        elif message["type"] == "cancel":
            cancelled.set()
        else:
            threading.Thread(target=work, args=(message["id"], message["arguments"]), daemon=True).start()
    os._exit(3)


if __name__ == "__main__":
    main()
