"""One case -> one Measurement: the only module that knows all of the above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..native import StepError, run
from .collectives import check_divisible
from .errors import MeasurementError
from .sample import Measurement, Sample
from .sync import start_steps, window_ns
from .transports.mpi import barrier_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..native import Step
    from .buffers import BufferPool, Buffers
    from .case import Case
    from .protocol import Protocol
    from .transports import Transport

__all__ = ["Session", "measure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all cases of one launch share on one rank."""

    communicator: Any
    transport: Transport
    pool: BufferPool
    protocol: Protocol
    launch: int
    hosts: int = 1
    labels: tuple[str, ...] = ()


def measure(case: Case, session: Session) -> Measurement | None:
    """Verify and time one case. Collective; the result is on rank 0, None elsewhere.

    One verified operation comes first, on the same steps that are then timed; where the buffers
    allow it (out of place), the result of the last timed operation is verified too.

    Raises
    ------
    CaseError
        If the message cannot be divided among the ranks.
    MeasurementError
        If a call returned an error; names the rank, the step and the iteration.
    """
    check_divisible(case, session.communicator.size)
    buffers = session.pool.buffers(case)
    operation = session.transport.operation(case, buffers)
    try:
        wrong = _verify(case, session, buffers, operation)
        warmup, stamps = _time(session, operation)
    except StepError as error:
        raise MeasurementError(
            f"{case.collective} of {case.message_bytes} B over {session.transport.name}: rank "
            f"{session.communicator.rank}, step {error.step}, iteration {error.iteration}: "
            f"{session.transport.describe(error.code)}"
        ) from error
    if case.placement == "out_of_place" and case.collective != "barrier":
        wrong += _count_wrong(case, session, buffers)
    wrong = session.communicator.reduce(wrong)
    gathered = _gather(session, warmup), _gather(session, stamps)
    if session.communicator.rank != 0:
        return None
    return Measurement(
        case=case,
        sample=_sample(gathered[1], session.protocol.batch),
        warmup=_sample(gathered[0], session.protocol.batch),
        launch=session.launch,
        wrong=None if case.collective == "barrier" else wrong,
        labels=session.labels,
    )


def _verify(case: Case, session: Session, buffers: Buffers, operation: tuple[Step, ...]) -> int:
    """Run one operation on known contents; wrong elements on this rank."""
    if case.collective == "barrier":
        return 0
    rank, ranks = session.communicator.rank, session.communicator.size
    buffers.prepare(case, rank, ranks, session.protocol.seed)
    _stamps(operation, 1)
    return _count_wrong(case, session, buffers)


def _count_wrong(case: Case, session: Session, buffers: Buffers) -> int:
    communicator = session.communicator
    return buffers.count_wrong(case, communicator.rank, communicator.size, session.protocol.seed)


def _time(
    session: Session, operation: tuple[Step, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Warm up and time; two arrays of shape (2, samples) with starts and stops on this rank."""
    protocol, communicator = session.protocol, session.communicator
    barrier = () if protocol.synchronisation == "none" else (barrier_step(communicator),)
    warmup = _stamps((*barrier, *operation), protocol.warmup, protocol.batch)
    width_ns = 0
    if protocol.synchronisation == "window":
        width_ns = window_ns(warmup[1] - warmup[0], communicator, session.hosts)
    start = start_steps(protocol, communicator, protocol.repetitions, width_ns)
    return warmup, _stamps((*start, *operation), protocol.repetitions, protocol.batch)


def _stamps(steps: tuple[Step, ...], samples: int, batch: int = 1) -> NDArray[np.int64]:
    stamps = np.zeros((2, samples), np.int64)
    run(steps, stamps[0], stamps[1], batch=batch)
    return stamps


def _gather(session: Session, stamps: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """All ranks' stamps on rank 0, shape (rank, 2, samples)."""
    communicator = session.communicator
    shape = (communicator.size, *stamps.shape)
    gathered = np.empty(shape, np.int64) if communicator.rank == 0 else None
    communicator.Gather(stamps, gathered)
    return gathered


def _sample(gathered: NDArray[np.int64] | None, batch: int) -> Sample:
    assert gathered is not None
    by_repetition = np.ascontiguousarray(gathered.transpose(1, 2, 0))
    return Sample(start_ns=by_repetition[0], stop_ns=by_repetition[1], batch=batch)
