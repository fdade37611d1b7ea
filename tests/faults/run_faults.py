"""Try faults of processes, programs and file systems at random; for hours, or with fewer rounds for minutes.

    python tests/faults/run_faults.py --kills 100 --rivals 100 --seed 1

1. Kills: a command with random parameters is killed at a random step. What stands under a final name is complete, the
   earlier version or the new one, and the command then ends as if nothing had happened.
2. Rivals: a second program has the outputs open, reads them, has changed them or is changing them. Nothing that it has
   committed is lost.
3. File systems without locks, that refuse a rename, that are full, and a /dev/shm of 64 kB: a sentence or the right
   result. They are made in a namespace of mounts without network, which needs root; otherwise this part is left out.

The seed is printed, so that a failure can be repeated. Not a part of ``make test``; ``make faults`` runs it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyogrio
import shapely

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import conftest as engines
from hold_point import HoldPoint
from model_files import write_linear_model
from raster_files import write_raster
from terraspore.engine.vector.io.formats import FORMATS

ROWS, COLUMNS = 420, 380
PARCELS = [shapely.box(500_000 + 20 * n, 4_649_700, 500_010 + 20 * n, 4_649_710) for n in range(5)]
#: Suffixes of vector files, by how often they are tried.
SUFFIXES = (
    *([".gpkg"] * 3),
    *(entry.suffixes[0] for entry in FORMATS if "w" in pyogrio.list_drivers().get(entry.driver, "")),
)
#: Texts with which a command may refuse its work where a second program is in its way.
REFUSALS = ("another program", "another run")


class Failure(Exception):
    """Something was lost, incomplete or not explained."""


def demand(condition: object, text: str) -> None:
    """Raise ``Failure`` with ``text`` unless ``condition`` holds."""
    if not condition:
        raise Failure(text)


@dataclass(frozen=True)
class Workshop:
    """Inputs of all rounds.

    Attributes:
        folder: receives a folder for each round.
        image: three bands with roads.
        roads: a model of roads.
        classes: a model of three classes.
        server: forks engines.
    """

    folder: Path
    image: Path
    roads: Path
    classes: Path
    server: engines.ForkServer

    def make_folder(self) -> Path:
        """Return a new empty folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def start(self, arguments: list[str], hold: HoldPoint | None = None) -> engines.RunningEngine:
        """Start an engine, to be held at ``hold``."""
        output = Path(tempfile.mkstemp(dir=self.folder, suffix=".events")[1])
        environment = {} if hold is None else hold.environment
        pid = self.server.request(arguments=arguments, output=str(output), environment=environment)
        return engines.RunningEngine(self.server, pid, output)


@contextmanager
def open_workshop(parent: Path | None) -> Iterator[Workshop]:
    """Make the inputs in a new folder, which is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="terraspore-faults-", dir=parent))
    try:
        pixels = np.full((3, ROWS, COLUMNS), 20, np.uint8)
        for offset in range(9):
            pixels[0, 60 + offset :: 130] = pixels[0, :, 40 + offset :: 120] = 245
        pixels[1] = np.add.outer(np.arange(ROWS), np.arange(COLUMNS)) % 251
        models = [folder / name for name in ("roads", "classes")]
        for model in models:
            model.mkdir()
        write_linear_model(models[0])
        write_linear_model(models[1], engines.WEIGHTS, task="segmentation")
        image = write_raster(folder / "image.tif", pixels, compress="deflate")
        server = engines.ForkServer()
        try:
            yield Workshop(folder, image, *models, server)
        finally:
            server.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Task:
    """A command with random parameters.

    Attributes:
        words: the arguments up to the outputs.
        outputs: names of the outputs by their option.
    """

    words: tuple[str, ...]
    outputs: dict[str, str]

    @classmethod
    def draw(cls, workshop: Workshop, chance: random.Random, *, suffix: str | None = None) -> Task:
        """Draw the parameters."""
        suffix = suffix or chance.choice(SUFFIXES)
        options = [f"--tile={chance.choice((48, 64, 96))}", f"--overlap={chance.choice((8, 16))}"]
        options += ["--tta"] if chance.random() < 0.2 else []
        if chance.random() < 0.6:
            outputs = {"output": f"r{suffix}"} | ({"probability": "p.tif"} if chance.random() < 0.7 else {})
            options += ["--no-areas"] if chance.random() < 0.3 else []
            words = ("extract", "roads", str(workshop.image), "--model", str(workshop.roads))
        else:
            outputs = {"output": "c.tif", "vectors": f"v{suffix}"}
            outputs |= {"confidence": "f.tif"} if chance.random() < 0.5 else {}
            words = ("segment", str(workshop.image), "--model", str(workshop.classes))
        return cls((*words, *engines.ONNX, *options), outputs)

    def arguments(self, folder: Path, *more: str) -> list[str]:
        """Return the command line with the outputs in ``folder``."""
        return [*self.words, *(f"--{option}={folder / name}" for option, name in self.outputs.items()), *more]

    @property
    def vectors(self) -> str:
        """Name of the vector file."""
        return self.outputs.get("vectors", self.outputs["output"])


def contents(folder: Path) -> dict[str, object]:
    """Return the content of the files that are not hidden; of GeoPackages the features of each layer."""
    return engines.contents(folder)


def prepare_earlier(task: Task, folder: Path, chance: random.Random, earlier: dict[str, bytes]) -> None:
    """Put files of an earlier run, or a person's GeoPackage, where the command will write."""
    kind = chance.choice(("nothing", "earlier run", "layers of a person"))
    if kind == "earlier run":
        for name, data in earlier.items():
            (folder / name).write_bytes(data)
    if kind == "layers of a person" and task.vectors.endswith(".gpkg"):
        write_parcels(folder / task.vectors)


def write_parcels(path: Path) -> None:
    """Write a person's layer to a GeoPackage."""
    pyogrio.raw.write(
        path,
        geometry=np.asarray(shapely.to_wkb(PARCELS), object),
        field_data=[np.arange(len(PARCELS))],
        fields=np.array(["number"]),
        geometry_type="Polygon",
        crs="EPSG:32618",
        layer="parcels",
    )


def finish(workshop: Workshop, task: Task, folder: Path, *more: str) -> None:
    """Run a command to its end, which has to be good."""
    code, last = workshop.start(task.arguments(folder, *more)).wait()
    demand(code == 0, f"exit code {code}: {last}")


def kill_once(workshop: Workshop, chance: random.Random) -> str:
    """Kill a command with random parameters once or twice, then run it to its end; return where it was killed."""
    task, hold = Task.draw(workshop, chance), HoldPoint(workshop.make_folder())
    whole = workshop.make_folder()
    code, last = workshop.start(task.arguments(whole), hold.set(None, watched=whole)).wait()
    demand(code == 0, f"the uninterrupted run: {last}")
    steps = hold.counts()
    earlier = {path.name: path.read_bytes() for path in whole.iterdir()}
    folder = workshop.make_folder()
    prepare_earlier(task, folder, chance, earlier)
    before = contents(folder)
    start = workshop.make_folder()
    shutil.copytree(folder, start, dirs_exist_ok=True)
    finish(workshop, task, start, "--overwrite")
    expected = contents(start)
    for _ in range(chance.choice((1, 1, 2))):
        step = chance.choice([name for name in ("tile", "row", "file") if steps.get(name)])
        number = chance.randint(1, steps[step])
        engine = workshop.start(
            task.arguments(folder, "--overwrite", "--resume"), hold.set(step, number, watched=folder)
        )
        engine.wait_until_held(hold)
        engine.kill()
        for name, content in contents(folder).items():
            is_whole = content == expected.get(name) or content == before.get(name)
            demand(is_whole or name.endswith((".shx", ".dbf", ".prj", ".cpg", ".shp")), f"{name} is not complete")
    finish(workshop, task, folder, "--overwrite", "--resume")
    demand(contents(folder) == expected, f"another result: {sorted(contents(folder))}, {sorted(expected)}")
    hidden = [name for name in engines.list_names(folder) if name.startswith(".")]
    demand(not hidden, f"left behind: {hidden}")
    return f"killed at a {step}"


@contextmanager
def idle(path: Path, journal: str) -> Iterator[None]:
    """Hold the file open without a transaction, after a committed change."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("INSERT INTO notes VALUES ('committed')")
        yield


@contextmanager
def reading(path: Path, journal: str) -> Iterator[None]:
    """Hold a transaction that reads open."""
    with idle(path, journal), closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN")
        database.execute("SELECT * FROM notes").fetchall()
        yield


@contextmanager
def writing(path: Path, journal: str) -> Iterator[None]:
    """Hold a transaction that writes open, which is rolled back at the end."""
    with idle(path, journal), closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO notes VALUES ('not committed')")
        yield


def compete_once(workshop: Workshop, chance: random.Random) -> str:
    """Run a command while this process has its GeoPackage open; return how it ended."""
    task = Task.draw(workshop, chance, suffix=".gpkg")
    folder, hold = workshop.make_folder(), HoldPoint(workshop.make_folder())
    path = folder / task.vectors
    write_parcels(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE notes (text TEXT)")
    rival = chance.choice((idle, idle, reading, writing))
    journal, late, is_killed = chance.choice(("WAL", "DELETE")), chance.random() < 0.5, chance.random() < 0.2
    step = hold.set("tile" if is_killed or late else None, chance.randint(1, 6))
    if late:
        engine = workshop.start(task.arguments(folder), step)
        engine.wait_until_held(hold)
    with rival(path, journal):
        if not late:
            engine = workshop.start(task.arguments(folder), step)
            engine.wait_until_held(hold) if is_killed else None
        if is_killed:
            engine.kill()
        elif late:
            hold.release()
        code, last = engine.wait()
    with closing(sqlite3.connect(path)) as database:
        demand(database.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the GeoPackage is damaged")
        notes = [text for (text,) in database.execute("SELECT text FROM notes")]
        parcels = database.execute("SELECT count(*) FROM parcels").fetchone()[0]
    demand(notes == ["committed"], f"the second program's rows: {notes}")
    demand(parcels == len(PARCELS), f"{parcels} parcels")
    outcome = "killed" if is_killed else "written" if code == 0 else "refused"
    if outcome == "refused":
        text = f"{last.get('text')}".lower()
        demand(code == 2 and any(refusal in text for refusal in REFUSALS), f"exit code {code}: {last}")
    return outcome


def mount(*arguments: object) -> None:
    """Call ``mount``."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


def try_full_disk(workshop: Workshop, chance: random.Random) -> str:
    """Let a file system of random size fill; then enlarge it."""
    task, disk = Task.draw(workshop, chance), workshop.make_folder()
    size = chance.randrange(40, 500) * 1024
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk)
    try:
        code, last = workshop.start(task.arguments(disk)).wait()
        demand(code == 0 or (code == 2 and last["code"] == "DiskFullError"), f"exit code {code}: {last}")
        demand(code == 0 or not contents(disk), f"incomplete: {sorted(contents(disk))}")
        mount("-o", "remount,size=64m", disk)
        finish(workshop, task, disk, "--resume", "--overwrite")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
    return f"{size // 1024} kB: {'it fits' if code == 0 else last['text']}"


def try_refused_rename(workshop: Workshop, chance: random.Random) -> str:
    """Refuse the rename of one output, because something is mounted on it; the others keep their earlier content."""
    task, folder = Task.draw(workshop, chance), workshop.make_folder()
    finish(workshop, task, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    busy = folder / chance.choice(sorted(task.outputs.values()))
    mount("--bind", busy, busy)
    try:
        code, last = workshop.start(task.arguments(folder, "--overwrite")).wait()
        demand(code == 2 and "cannot be written" in last["text"], f"exit code {code}: {last}")
        after = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
        demand(after == before, "the earlier files did not come back")
    finally:
        subprocess.run(["umount", "-l", str(busy)], check=False)
    return f"{busy.name}: {last['text']}"


def try_small_shared_memory(workshop: Workshop, _chance: random.Random) -> str:
    """Run with a /dev/shm of 64 kB, in this process and in one of its own."""
    outcomes = []
    for runtime in ("onnxruntime", "onnxruntime-isolated"):
        folder = workshop.make_folder()
        words = ["extract", "roads", str(workshop.image), "--model", str(workshop.roads), "--device=cpu"]
        code, last = workshop.start([*words, f"--runtime={runtime}", f"--output={folder / 'r.gpkg'}", "--json"]).wait()
        demand(code in (0, 2), f"{runtime}: exit code {code}: {last}")
        outcomes.append(f"{runtime}: {'written' if code == 0 else last['text']}")
    return "; ".join(outcomes)


def try_no_locks(workshop: Workshop, chance: random.Random) -> str:
    """Run where the file system refuses locks, which a library in front of the system's plays."""
    library, folder = workshop.folder / "fail.so", workshop.make_folder()
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "fail.c", "-ldl"], check=True)
    outcomes = []
    for suffix in (".gpkg", ".geojson"):
        task = Task.draw(workshop, chance, suffix=suffix)
        environment = {"LD_PRELOAD": str(library), "FAIL_PATH": str(folder), "FAIL_CALL": "lock", "FAIL_ERRNO": "37"}
        done = subprocess.run(
            [*engines.COMMAND, *task.arguments(folder)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        demand("Traceback" not in done.stderr, done.stderr)
        text = done.stdout + done.stderr
        demand(done.returncode in (0, 2), f"exit code {done.returncode}: {text[-2000:]}")
        demand("locks" in text, f"no word about locks: {text[-2000:]}")
        outcomes.append(f"{suffix}: {'written with a warning' if done.returncode == 0 else 'refused before the work'}")
    return "; ".join(outcomes)


QUIRKS = (*[try_full_disk] * 3, *[try_refused_rename] * 2, try_small_shared_memory, try_no_locks)


def repeat(
    name: str, trial: Callable[[Workshop, random.Random], str], rounds: int, workshop: Workshop, seed: int
) -> int:
    """Run ``rounds`` of a trial, each with a chance of its own; return how many failed."""
    failures, outcomes = 0, Counter[str]()
    begin = time.monotonic()
    for number in range(rounds):
        chance = random.Random(f"{name} {seed} {number}")
        try:
            outcomes[trial(workshop, chance)] += 1
        except (Failure, AssertionError) as failure:
            failures += 1
            print(f"FAILED {name}, round {number} of seed {seed}: {failure}", flush=True)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "none right"
    print(f"{name}: {rounds} rounds in {time.monotonic() - begin:.0f} s: {counts}; {failures} failed", flush=True)
    return failures


def run_quirks(seed: int) -> int:
    """Try the quirks of file systems in this namespace; return how many failed."""
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", "/dev/shm")
    failures = 0
    with open_workshop(None) as workshop:
        for number, trial in enumerate(QUIRKS):
            try:
                print(f"{trial.__name__}: {trial(workshop, random.Random(f'{seed} {number}'))}", flush=True)
            except (Failure, AssertionError) as failure:
                failures += 1
                print(f"FAILED {trial.__name__} of seed {seed}: {failure}", flush=True)
    return failures


def call_quirks(seed: int) -> int:
    """Try the quirks in a namespace without network, where this is allowed; return how many failed."""
    command = ["unshare", "--mount", "--net"]
    is_possible = (
        shutil.which("unshare") and not subprocess.run([*command, "true"], check=False, capture_output=True).returncode
    )
    if not is_possible:
        print("file systems: left out, because namespaces of mounts need root on Linux", flush=True)
        return 0
    done = subprocess.run([*command, sys.executable, __file__, "--only-quirks", f"--seed={seed}"], check=False)
    return done.returncode


def main() -> int:
    """Run all parts; return how many rounds failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="rounds with a killed engine")
    parser.add_argument("--rivals", type=int, default=100, help="rounds with a second program")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only-quirks", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only_quirks:
        return run_quirks(given.seed)
    print(f"seed {given.seed}", flush=True)
    memory = Path("/dev/shm")
    with open_workshop(memory if os.access(memory, os.W_OK) else None) as workshop:
        failures = repeat("kills", kill_once, given.kills, workshop, given.seed)
        failures += repeat("rivals", compete_once, given.rivals, workshop, given.seed)
    return failures + call_quirks(given.seed)


if __name__ == "__main__":
    sys.exit(min(main(), 100))
