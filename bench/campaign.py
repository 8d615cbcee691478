"""A sweep -> a campaign: measures case by case and writes each one down as soon as it is done."""

from __future__ import annotations

import random
from dataclasses import replace as change
from typing import TYPE_CHECKING, Any

from .algorithms import NATIVE
from .board import IDLE
from .case import PAIRS
from .clock import CommonClock
from .errors import DeviceMemoryError
from .measure import Session, labels_in, measure_groups, operation_of
from .pairs import measure_pairs, rounds_of
from .room import failed_measurement, make_room
from .sample import Launch
from .store import append_launch, append_measurement, campaign_exists, remove_campaign
from .stub import STUB
from .transports import open_transport
from .transports.pair import open_pair
from .units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .aggressor import Load
    from .board import Board
    from .buffers import BufferPool
    from .case import Case
    from .environment import Environment
    from .observer import Observer
    from .protocol import Protocol
    from .sample import Measurement
    from .transports import Transport

__all__ = ["in_order", "labels_of", "run_sweep"]


def _heed_nothing(*_: object) -> None:
    """Heed nothing."""


def run_sweep(
    communicator: Any,
    cases: tuple[Case, ...],
    protocol: Protocol,
    environment: Environment,
    path: Path,
    launch: int,
    progress: Callable[[int, Case], None],
    board: Board | None = None,
    *,
    observer: Observer | None = None,
    fresh: bool = False,
    group: Any = None,
    load: Load | None = None,
    heed: Callable[..., None] = _heed_nothing,
    crowded: bool = False,
) -> dict[Case, str]:
    """Measure `cases` in the order of `in_order`, and append each to `path`. Collective.

    Returns why which cases could not be measured.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
        Its rank 0 writes.
    cases : non-empty; all of one memory
    launch : number of this launch within the campaign
    progress : called on rank 0 with the number of cases done and the last one
    board : where this rank says what it does
    observer : looks at nodes and devices around each case
    fresh : whether a campaign that exists is removed, once nothing can be refused any more
    group : communicator of the operations, where several groups measure at once; its ranks are a
        block of `communicator`
    load : the aggressors of the cases that have a load; concurrent groups need none
    heed : is given the transports, which may fail while their operations are waited for, as
        `Watchdog.heed` takes them
    crowded : whether a host holds more ranks than cores, sleeping ones included: an MPI that gives
        its cores away while it waits does so on all of them
    """
    hosts = environment.location.host[: communicator.size]
    group = group or communicator
    first = communicator.rank // group.size * group.size
    own_hosts = hosts[first : first + group.size]
    together = None if group is communicator else communicator
    transports = {
        name: open_transport(name, group, own_hosts, protocol.staging_chunk_bytes, together)
        for name in sorted({case.transport for case in cases})
    }
    heed(*transports.values())
    environment = change(environment, **_library_facts(transports))
    pool, failed = _buffers(communicator, group.size, cases, transports, protocol.registration)
    session = Session(
        communicator=group,
        together=together,
        transports=transports,
        pool=pool,
        protocol=protocol,
        launch=launch,
        clock=CommonClock(communicator, hosts),
        resolution_s=_resolution_s(environment, protocol),
        labels=labels_of(environment, group.size, crowded=crowded, skewed=bool(protocol.skew)),
        board=board,
    )
    fitting = [case for case in cases if case not in failed]
    failed |= _refuse(fitting, session)
    fitting = [case for case in fitting if case not in failed]
    if protocol.synchronisation == "window":
        session.clock.learn_drift()
    if communicator.rank == 0:
        if fresh and campaign_exists(path):
            remove_campaign(path)
        append_launch(path, Launch(number=launch, protocol=protocol, environment=environment))
    done = 0
    for case, reason in failed.items() if communicator.rank == 0 else ():
        labels, ranks = labels_in(case, session.labels), 2 if case.peer >= 0 else group.size
        append_measurement(path, failed_measurement(case, launch, ranks, labels, reason))
        done += 1
        progress(done, case)
    order = in_order(fitting, communicator.size, protocol, launch)
    for number, members in enumerate(order, start=1):
        if board is not None:
            board.begin(number, _doing(members, communicator.rank))
        if observer is not None:
            observer.begin()
        found = _measure_round(members, session, load)
        observed = observer.end() if observer is not None else None
        for measurement in found:
            measured = change(measurement, observed=observed)
            append_measurement(path, measured)
            if measured.group == 0:
                done += 1
                progress(done, measured.case)
    if load:
        load.close()
    heed()
    for transport in transports.values():
        transport.close()
    return failed


def _measure_round(
    members: tuple[Case, ...], session: Session, load: Load | None
) -> list[Measurement]:
    """Measure what is measured at a time, quiet or loaded."""
    if members[0].collective in PAIRS:
        return measure_pairs(members, session)
    if load is None or not members[0].load:
        return measure_groups(members[0], session)
    load.begin(members[0].load)
    found = measure_groups(members[0], session)
    rate = load.end()
    return [change(measurement, load_bytes_per_s=rate) for measurement in found]


def _refuse(cases: list[Case], session: Session) -> dict[Case, str]:
    """Refuse what a transport cannot do before anything is measured.

    Returns why which cases have no room for what the transport needs; the same on all ranks.
    """
    communicator, together = session.communicator, session.together or session.communicator
    full: dict[Case, str] = {}
    for case in cases:
        if case.collective in PAIRS:
            open_pair(case.transport, communicator, session.protocol.batch)
            continue
        buffers = session.pool.buffers(case, communicator.rank, communicator.size)
        try:
            operation_of(case, session, buffers)
        except DeviceMemoryError as error:
            full[case] = f"rank {together.rank}: {error}"
    every: list[dict[Case, str]] = together.allgather(full)
    return {case: text for found in reversed(every) for case, text in found.items()}


def _resolution_s(environment: Environment, protocol: Protocol) -> float:
    """Smallest step of the times that are the protocol's figures."""
    if protocol.metric == "device":
        return environment.device_timer_ns * 1e-9
    return environment.clock.resolution_ns * 1e-9


def _library_facts(transports: dict[str, Transport]) -> dict[str, Any]:
    """What the environment says of NCCL and the device's timer, which now are open."""
    nccl: Any = transports.get("nccl")
    if nccl is None:
        return {}
    return {"nccl_version": nccl.version, "device_timer_ns": nccl.timer_resolution_ns}


def _buffers(
    communicator: Any,
    ranks: int,
    cases: tuple[Case, ...],
    transports: dict[str, Transport],
    registration: str,
) -> tuple[BufferPool, dict[Case, str]]:
    """Buffers of all cases, known to NCCL where asked for, and the cases that do not fit."""
    nccl: Any = transports.get("nccl")
    allocate = nccl.allocate if registration == "window" else None
    pool, failed = make_room(communicator, cases, allocate, ranks)
    if registration != "none":
        nccl.register(pool.regions, registration)
    return pool, failed


def _doing(members: tuple[Case, ...], rank: int) -> str:
    """What a rank does while these cases are measured."""
    for case in members:
        if case.collective not in PAIRS or rank in {case.root, case.peer}:
            named = "" if case.algorithm == NATIVE else f" {case.algorithm}"
            return f"{case.collective} {format_bytes(case.message_bytes)} {case.transport}{named}"
    return IDLE


def in_order(
    cases: Sequence[Case], ranks: int, protocol: Protocol, launch: int
) -> list[tuple[Case, ...]]:
    """Return the cases that are measured at a time, in an order drawn from the seed.

    Order and time are thus independent: a machine that slows down does not slow the large sizes
    only, and transports are interleaved. The same cases with and without load stay in a row, and
    either comes first as often.
    """
    draw = random.Random(protocol.seed + launch)
    alike: dict[tuple[Case, ...], list[tuple[Case, ...]]] = {}
    for members in rounds_of(cases, ranks, together=protocol.pair_rounds):
        quiet = tuple(change(case, load="") for case in members)
        alike.setdefault(quiet, []).append(members)
    return [
        members
        for rounds in draw.sample(list(alike.values()), len(alike))
        for members in draw.sample(rounds, len(rounds))
    ]


def labels_of(
    environment: Environment, ranks: int, *, crowded: bool = False, skewed: bool = False
) -> tuple[str, ...]:
    """Return the conditions (keys of `sample.LABELS`) that hold for every case on `ranks` ranks."""
    hosts, gpus = environment.location.host, environment.location.gpu
    labels = []
    if ranks == 1:
        labels.append("copy")
    cores_of = environment.cores_per_host
    if crowded or any(hosts.count(host) > cores for host, cores in cores_of.items()):
        labels.append("oversubscribed")
    if environment.gpu == STUB:
        labels.append(STUB)
    used = [gpu for gpu in gpus if gpu]
    if len(set(used)) < len(used):
        labels.append("ranks_per_gpu")
    if skewed:
        labels.append("skew")
    return tuple(labels)
