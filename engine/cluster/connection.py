"""Connect to a Dask scheduler, or start one with workers on this machine."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.comm import connect
from distributed.security import Security

from ..concurrency import available_cores, report_if_slow
from ..context import RunContext
from ..errors import ClusterError, ParameterError, first_line
from ..protocol.options import ImageOptions, RuntimeOptions
from .worker import read_versions

#: Seconds that a scheduler may take to answer, and that it may be without a worker.
CONNECT_SECONDS = 30.0
WAIT_FOR_WORKERS = 60.0
#: What to do about workers with too little memory.
_MORE_MEMORY = "Give workers more (`dask worker --memory-limit`, --memory with local:N)"
#: What to do where workers have too little memory for tiles, and for vectors.
MEMORY_FOR_TILES = f"{_MORE_MEMORY}, or use a smaller --tile."
MEMORY_FOR_VECTORS = f"{_MORE_MEMORY}."
#: Dask's measurements of its own processes, which nobody looks at where the run starts them.
_QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
}
_POLL = 0.2
_LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx|ucxx)://[^\s/]+")


@contextmanager
def open_client(address: str, image: ImageOptions, runtime: RuntimeOptions, context: RunContext) -> Iterator[Client]:
    """Connect to the scheduler at ``address`` and wait for a worker.

    Args:
        address: ``tcp://host:port`` or ``tls://host:port``, with Dask's own configuration for TLS; ``local:N`` starts
            N worker processes, which share the cores of this machine.
        image: the limit of memory, which only workers that are started here take.
        runtime: the number of threads of each worker that is started here.
        context: checked for cancellation; receives a message where workers do not come soon.

    Raises:
        ParameterError: the address or an option cannot be used.
        ClusterError: the scheduler does not answer, has no worker, or other versions run there.
    """
    local = _LOCAL.fullmatch(address)
    if local is None and not _ADDRESS.fullmatch(address):
        raise ParameterError(
            f"--cluster '{address}' is neither local:N nor the address of a scheduler, tcp://host:8786."
        )
    if local is None and image.memory is not None:
        raise ParameterError(
            "--memory limits processes that this command starts, and the workers of a scheduler are not.",
            "Start them with `dask worker --memory-limit`.",
        )
    # The run reports lost workers and connections in a sentence; Dask's threads log them even after its end.
    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
    with ExitStack() as stack:
        if local is not None:
            count = int(local[1] or available_cores())
            with dask.config.set(_QUIET):  # the workers take it over when they start
                target = stack.enter_context(_start_workers(count, image, runtime))
        else:
            count, target = 1, address
        with report_if_slow(context, f"Waiting for the scheduler of {address}."):
            client = stack.enter_context(_connect(address, target))
        _wait_for_workers(client, address, count, context)
        check_versions(client, address)
        yield client


def _start_workers(count: int, image: ImageOptions, runtime: RuntimeOptions) -> LocalCluster:
    threads = runtime.threads or max(1, available_cores() // count)
    return LocalCluster(
        n_workers=count,
        threads_per_worker=threads,
        processes=True,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
        memory_limit="auto" if image.memory is None else image.memory * 1_000_000,
    )


def _connect(address: str, target: str | LocalCluster) -> Client:
    try:
        if isinstance(target, str):
            asyncio.run(_try_connection(target))
        return Client(target, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # a wrong name, nobody listens; TLS without certificates
        raise ClusterError(
            f"No scheduler answers at {address}: {first_line(error)}.",
            "Start one with `dask scheduler`, or use --cluster local:N.",
        ) from error


async def _try_connection(address: str) -> None:
    """Connect and close again, before there is a ``Client``.

    One that cannot connect stays open until it is garbage, and then takes the lock under which the next one waits for
    the thread of its event loop. Where garbage is collected in that thread, the next one fails after 10 s.
    """
    arguments = Security().get_connection_args("client")
    connecting = connect(address, timeout=CONNECT_SECONDS, **arguments)
    try:  # Dask waits without end for the first message
        connection = await asyncio.wait_for(connecting, CONNECT_SECONDS + 1)
    except asyncio.TimeoutError as error:
        raise OSError(f"it accepts connections, but sends nothing for {CONNECT_SECONDS:.0f} s") from error
    except (OSError, ValueError, TypeError):
        raise
    except Exception as error:  # what another program sends may fail anywhere in Dask
        raise OSError("what answers there is another program") from error
    await connection.close()


def _wait_for_workers(client: Client, address: str, count: int, context: RunContext) -> None:
    end = time.monotonic() + WAIT_FOR_WORKERS
    with report_if_slow(context, f"Waiting for workers of {address}."):
        while len(client.nthreads()) < count:
            context.check_cancelled()
            if time.monotonic() > end:
                raise no_worker_error(address)
            time.sleep(_POLL)


def no_worker_error(address: str) -> ClusterError:
    """Return the error for a scheduler that has had no worker for too long."""
    return ClusterError(
        f"The scheduler at {address} has had no worker for {WAIT_FOR_WORKERS:.0f} s.",
        f"Start some with `dask worker {address}`; workers that end at once may have too little memory.",
    )


def is_local(address: str) -> bool:
    """Whether ``address`` stands for workers that the run starts by itself."""
    return _LOCAL.fullmatch(address) is not None


def check_paused(client: Client) -> None:
    """Raise ``ClusterError`` where Dask has paused all workers, because their memory is nearly full."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if workers and all(facts["status"] == "paused" for facts in workers):
        raise ClusterError("All workers are paused, because their memory is nearly full.", MEMORY_FOR_TILES)


def check_versions(client: Client, address: str) -> None:
    """Raise ``ClusterError`` where scheduler or a worker have other versions, or no TerraSpore."""
    own = read_versions()
    try:
        found: dict[str, Any] = {f"the scheduler at {address}": client.run_on_scheduler(read_versions)}
    except Exception as error:  # noqa: BLE001 (whatever importing fails with there)
        found = {f"the scheduler at {address}": error}
    for worker, versions in client.run(read_versions, on_error="return").items():
        if not isinstance(versions, OSError):  # it has just ended; Dask starts another, or the run reports it
            found[f"the worker {worker}"] = versions
    for place, versions in found.items():
        _compare_versions(own, versions, place)


def _compare_versions(own: dict[str, str], found: Any, place: str) -> None:
    hint = "Install the same versions on all machines."
    if isinstance(found, BaseException):
        raise ClusterError(f"TerraSpore cannot be used on {place}: {first_line(Exception(str(found)))}.", hint)
    for title, here in own.items():
        if (there := found.get(title)) != here:
            raise ClusterError(f"{title} is {there} on {place}, and {here} here.", hint)
