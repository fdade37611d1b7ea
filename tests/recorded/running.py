"""Run the recorded commands: some in their own processes, most in one server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hold_point import HELD_COMMAND, HoldPoint
from recorded.commands import HELP, LINES, LONG, MISTAKES, PROCESSES, RIVAL, SERVED, Command
from recorded.inputs import make_inputs
from recorded.reduce import plain_sentence, reduce_events, reduce_path
from waiting import kill_if_late, wait_for
from windows_files import LOG_VARIABLE

#: Every process may rename, replace and remove only files that Windows would let it.
PROGRAM = (sys.executable, str(Path(__file__).parents[1] / "windows_files.py"))
TIMEOUT = 600
#: Rows of tiles of the long run in the journal when it is interrupted.
ROWS_BEFORE_INTERRUPTION = 3
_OPTION = re.compile(r"^  (-\w, )?(--[\w-]+)(?: / (--[\w-]+))?")


@dataclass
class Recording:
    """Results of the commands by name, and their messages apart from these."""

    results: dict[str, Any] = field(default_factory=dict)
    sentences: dict[str, list[str]] = field(default_factory=dict)

    def add(self, command: Command, folder: Path, code: int, events: list[dict[str, Any]]) -> None:
        """Add the events of a command with the machine protocol."""
        reduced, sentences = reduce_events(events, folder, command.summary)
        self.results[command.name] = {
            "exit_code": code,
            "network": command.network,
            "events": reduced,
            "files": _reduce_files(command, folder),
        }
        self.sentences[command.name] = sentences
        for event in events:
            if event["type"] == "progress":
                self.results["fields of progress"] = sorted(set(event) - {"id"})


def _reduce_files(command: Command, folder: Path) -> dict[str, Any]:
    return {name: reduce_path(folder / name, folder, thinned=command.network) for name in command.files}


def record(folder: Path) -> Recording:
    """Run everything in ``folder``, which has to be empty.

    Returns:
        The recording, equal for equal programs on one machine.
    """
    make_inputs(folder)
    recording = Recording()
    log = folder.with_name(f"{folder.name}.log")
    os.environ[LOG_VARIABLE] = str(log)
    _record_help(recording)
    _record_processes(recording, folder)
    _record_served(recording, folder)
    _record_interruption(recording, folder)
    if log.exists():
        raise AssertionError(f"Windows would refuse to rename or remove a file that is open: {log.read_text()}")
    return recording


def _environment() -> dict[str, str]:
    """The environment without the variables that name further models and interpreters."""
    kept = ("TERRASPORE_CACHE", LOG_VARIABLE)
    own = {name for name in os.environ if name.startswith("TERRASPORE_") and name not in kept}
    return {name: value for name, value in os.environ.items() if name not in own}


def _call(arguments: Iterable[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def _open(command: list[str], folder: Path, **environment: str) -> subprocess.Popen[str]:
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, env={**_environment(), **environment}, text=True, **streams)


def _record_help(recording: Recording) -> None:
    """Record the names of the options and commands that each command's help lists."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda command: _call([*command.split(), "--help"]), HELP))
    for command, process in zip(HELP, done, strict=True):
        lines = process.stdout.splitlines()
        options = sorted(name for line in lines if (match := _OPTION.match(line)) for name in match.groups() if name)
        commands = [line.split()[0] for line in lines[_line_of(lines, "Commands:") :] if re.match(r"  \w", line)]
        name = f"help of {command or 'terraspore'}"
        recording.results[name] = {"exit_code": process.returncode, "options": options, "commands": sorted(commands)}


def _line_of(lines: list[str], text: str) -> int:
    return lines.index(text) if text in lines else len(lines)


def _record_processes(recording: Recording, folder: Path) -> None:
    for command in PROCESSES:
        done = _call(command.arguments, folder)
        if "--json" in command.arguments:
            recording.add(command, folder, done.returncode, [json.loads(line) for line in done.stdout.splitlines()])
            continue
        output = done.stdout.splitlines()
        errors = done.stderr.splitlines() if done.returncode else []  # otherwise it is the progress
        recording.results[command.name] = {
            "exit_code": done.returncode,
            "lines": len(output),
            "lines_of_error": len(errors),
            "files": _reduce_files(command, folder),
        }
        recording.sentences[command.name] = [plain_sentence(line, folder) for line in output + errors]


def _record_served(recording: Recording, folder: Path) -> None:
    """Run the commands of one server, and send it lines that are not runs."""
    with _open([*PROGRAM, "serve"], folder) as server, kill_if_late(server, 4 * TIMEOUT):
        _send(server, LINES)
        answers = [json.loads(server.stdout.readline()) for _ in range(len(LINES) - 2)]
        kept = ("type", "id", "code", "exit_code")
        recording.results["lines to the server"] = [
            {name: answer.get(name) for name in kept if name in answer} for answer in answers
        ]
        recording.sentences["lines to the server"] = [answer["text"] for answer in answers if "text" in answer]
        _record_runs(recording, folder, server, SERVED)
        before = set(folder.iterdir())
        _record_runs(recording, folder, server, MISTAKES)
        left = sorted(path.name for path in set(folder.iterdir()) - before)
        server.stdin.close()
        recording.results["server"] = {"exit_code": server.wait(TIMEOUT), "left_by_mistakes": left}


def _send(server: subprocess.Popen[str], lines: Iterable[str]) -> None:
    server.stdin.write("".join(f"{line}\n" for line in lines))
    server.stdin.flush()


def _record_runs(
    recording: Recording, folder: Path, server: subprocess.Popen[str], commands: tuple[Command, ...]
) -> None:
    """Run one command after the other; read the files of each before the next one starts."""
    for number, command in enumerate(commands):
        _send(server, [json.dumps({"type": "run", "id": number, "arguments": command.arguments})])
        events = _events_of(server, number)
        recording.add(command, folder, events[-1].get("exit_code", 0), events)


def _events_of(server: subprocess.Popen[str], number: int) -> list[dict[str, Any]]:
    """Read the events of run ``number`` up to its end."""
    events = []
    while not events or events[-1]["type"] not in ("result", "error"):
        events.append(json.loads(server.stdout.readline()))
        assert events[-1]["id"] == number, events[-1]
    return events


def _record_interruption(recording: Recording, folder: Path) -> None:
    """Interrupt a run by closing its stdin, try another run with the same output meanwhile, and resume it."""
    with tempfile.TemporaryDirectory() as name:
        hold = HoldPoint(Path(name)).set("row", ROWS_BEFORE_INTERRUPTION)
        command = [*HELD_COMMAND, *LONG.arguments, "--watch-stdin"]
        with _open(command, folder, **hold.environment) as process, kill_if_late(process, TIMEOUT):
            wait_for(hold.is_reached, TIMEOUT)
            rival = _call(RIVAL.arguments, folder)
            process.stdin.close()
            events = [json.loads(line) for line in process.stdout]
    recording.add(RIVAL, folder, rival.returncode, [json.loads(line) for line in rival.stdout.splitlines()])
    recording.results["interrupted"] = {
        "exit_code": process.returncode,
        "code": events[-1].get("code"),
        "outputs": sorted(name for name in LONG.files if (folder / name).exists()),
    }
    done = _call([*LONG.arguments, "--resume"], folder)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    resumed = Command("resumed", LONG.line, LONG.files, network=True)
    recording.add(resumed, folder, done.returncode, events)
    left = sorted(path.name for path in folder.glob(".*"))
    recording.results["resumed"]["left"] = left
    # The message has the date of the first run.
    recording.sentences["resumed"] = [re.sub(r"\d[\d.:-]*", "#", text) for text in recording.sentences["resumed"]]
