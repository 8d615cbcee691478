"""A sweep -> a campaign: measures case by case and writes each one down as soon as it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .buffers import BufferPool
from .clock import CommonClock
from .measure import Session, measure
from .sample import Launch
from .store import append_launch, append_measurement
from .transports import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .case import Case
    from .environment import Environment
    from .protocol import Protocol

__all__ = ["labels_of", "run_sweep"]


def run_sweep(
    communicator: Any,
    cases: tuple[Case, ...],
    protocol: Protocol,
    environment: Environment,
    path: Path,
    launch: int,
    progress: Callable[[int, Case], None],
) -> None:
    """Measure `cases` in order and append each to the campaign at `path`. Collective.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
        Its rank 0 writes.
    cases : non-empty; all of one transport and one memory
    launch : number of this launch within the campaign
    progress : called on rank 0 with the number of cases done and the last one
    """
    first = cases[0]
    session = Session(
        communicator=communicator,
        transport=open_transport(first.transport, communicator),
        pool=BufferPool(max(case.message_bytes for case in cases), first.memory),
        protocol=protocol,
        launch=launch,
        clock=CommonClock(communicator, environment.location.host),
        resolution_s=environment.clock.resolution_ns * 1e-9,
        labels=labels_of(environment),
    )
    if communicator.rank == 0:
        append_launch(path, Launch(number=launch, protocol=protocol, environment=environment))
    for done, case in enumerate(cases, start=1):
        measurement = measure(case, session)
        if measurement is not None:
            append_measurement(path, measurement)
            progress(done, case)


def labels_of(environment: Environment) -> tuple[str, ...]:
    """Return the conditions (keys of `sample.LABELS`) that hold for every case of a launch."""
    hosts, gpus = environment.location.host, environment.location.gpu
    labels = []
    if environment.ranks == 1:
        labels.append("copy")
    if any(hosts.count(host) > cores for host, cores in environment.cores_per_host.items()):
        labels.append("oversubscribed")
    used = [gpu for gpu in gpus if gpu]
    if len(set(used)) < len(used):
        labels.append("ranks_per_gpu")
    return tuple(labels)
