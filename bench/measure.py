"""One case -> one Measurement: the only module that knows all of the above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..native import StepError, run
from .case import PAIRS, SIZELESS
from .checker import Checker, findings
from .collectives import TABLE, check_divisible
from .counts import busiest_bytes
from .errors import MeasurementError
from .noise import quantum_steps
from .sample import Measurement, Sample
from .sampling import Sampler, around

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..native import Step
    from .arrangement import Arrangement
    from .board import Board
    from .buffers import BufferPool, Buffers
    from .case import Case
    from .clock import CommonClock
    from .protocol import Protocol
    from .transports import Transport

__all__ = ["Session", "gather_sample", "labels_in", "measure", "measure_groups", "operation_of"]

_BLOCK_STAMPS = 1 << 18  # per gathering: 4 MiB of starts and stops, however many ranks there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all cases of one launch share on one rank."""

    communicator: Any
    transports: Mapping[str, Transport]
    """By name; a case says which it uses."""

    pool: BufferPool
    protocol: Protocol
    clock: CommonClock
    launch: int
    resolution_s: float = 0.0
    """Of the stamps: no interval can be narrower."""

    labels: tuple[str, ...] = ()
    board: Board | None = None
    together: Any = None
    """Communicator of several groups that sample together, this one's ranks a block of it; None
    where this group is alone."""


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
    return next(iter(measure_groups(case, session)), None)


def measure_groups(case: Case, session: Session) -> list[Measurement]:
    """Do what `measure` does in several groups at once, sample by sample.

    The results, one per group, are on rank 0 of all of them; elsewhere the list is empty.
    """
    communicator, together = session.communicator, session.together or session.communicator
    if case.collective not in PAIRS:  # whose ranks are those of the launch, not of the pair
        check_divisible(case, communicator.size)
    buffers = session.pool.buffers(case, communicator.rank, communicator.size)
    transport = session.transports[case.transport]
    operation = operation_of(case, session, buffers)
    checker = Checker(
        case=case,
        buffers=buffers,
        rank=communicator.rank,
        ranks=communicator.size,
        seed=session.protocol.seed,
    )
    try:
        arrangement = transport.arrange(operation, session.protocol)
        _verify_one(checker, session, arrangement)
        if case.placement == "out_of_place":
            # What an operation that wrote nothing would leave must not pass as its result.
            checker.prepare()
        taken = _sampler(session, arrangement, checker).take()
    except StepError as error:
        reason = transport.describe(error.code, error.function)
        transport.abort()
        raise MeasurementError(
            f"{case.collective} of {case.message_bytes} B over {transport.name}: rank "
            f"{communicator.rank}, step {error.step}, iteration {error.iteration}: {reason}"
        ) from error
    if case.placement == "out_of_place":
        checker.check()
    clock = session.clock
    found = together.gather((checker.verdict, clock.error_ns(taken.since_ns)))
    messages = TABLE[case.collective].messages
    batch = session.protocol.batch * messages
    warmup, sample = (
        gather_sample(together, _on_common_clock(clock, stamps), batch)
        for stamps in (taken.warmup, taken.stamps)
    )
    verified = None
    if taken.verified.size:
        verified = gather_sample(together, clock.to_common_ns(taken.verified), messages)
    if sample is None or warmup is None:
        return []
    verdicts = [verdict for verdict, _ in found]
    blocks = [slice(i, i + communicator.size) for i in range(0, together.size, communicator.size)]
    return [
        Measurement(
            case=case,
            sample=sample.of_ranks(block),
            warmup=warmup.of_ranks(block),
            verified=None if verified is None else verified.of_ranks(block),
            launch=session.launch,
            **({"wrong": None} if case.collective in SIZELESS else findings(verdicts, block)),
            busiest_bytes=(
                busiest_bytes(case, communicator.size) if case.collective == "all_to_allv" else None
            ),
            labels=labels_in(case, session.labels),
            suspect=taken.suspect,
            stopped_by=taken.stopped_by,
            missed_windows=taken.missed_windows,
            clock_error_ns=2 * max(error_ns for _, error_ns in found),  # two stamps, each off by it
            group=number,
        )
        for number, block in enumerate(blocks)
    ]


def labels_in(case: Case, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return a launch's labels with those that hold for a case of it.

    >>> from collcast.bench.case import Case
    >>> labels_in(Case(collective="copy", message_bytes=8), ("stub",))
    ('copy', 'stub')
    >>> labels_in(Case(collective="noise", message_bytes=0), ("copy", "stub"))
    ('stub',)
    """
    copies = ("copy",) if case.collective == "copy" else ()
    if case.collective == "noise":  # moves nothing, also on one rank
        labels = tuple(label for label in labels if label != "copy")
    return tuple(dict.fromkeys((*copies, *labels, *(("loaded",) if case.load else ()))))


def operation_of(case: Case, session: Session, buffers: Buffers) -> tuple[Step, ...]:
    """Return the steps of one operation."""
    if case.collective == "noise":
        return quantum_steps(session.together or session.communicator, case)
    return session.transports[case.transport].operation(case, buffers)


def _sampler(session: Session, arrangement: Arrangement, checker: Checker) -> Sampler:
    return Sampler(
        session.together or session.communicator,
        session.clock,
        session.protocol,
        session.resolution_s,
        arrangement,
        session.board,
        checker,
    )


def _verify_one(checker: Checker, session: Session, arrangement: Arrangement) -> None:
    """Run one operation on known contents and look at its result, where it has one."""
    checker.prepare()
    run(around(session.board, (), arrangement.once), *np.zeros((2, 1), np.int64))
    if session.board is not None:
        session.board.rest()  # large buffers take long to look at, which is no hang
    checker.check()


def _on_common_clock(clock: CommonClock, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Starts and stops on the common clock; the device's times are no stamps."""
    return np.concatenate([clock.to_common_ns(stamps[:2]), stamps[2:]])


def gather_sample(communicator: Any, stamps: NDArray[np.int64], batch: int) -> Sample | None:
    """Return all ranks' stamps on rank 0, None elsewhere; collective.

    Gathered in blocks of repetitions, so that rank 0 needs memory for the sample and one block.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    stamps : shape (2 or 3, repetition), in ns; as many on every rank
        Starts, stops and device's times of this rank.
    batch : operations between the two
    """
    ranks, repetitions = communicator.size, stamps.shape[1]
    is_root = communicator.rank == 0
    whole = np.empty((len(stamps), repetitions, ranks), np.int64) if is_root else None
    rows = max(_BLOCK_STAMPS // ranks, 1)
    for first in range(0, repetitions, rows):
        mine = np.ascontiguousarray(stamps[:, first : first + rows])
        block = np.empty((ranks, *mine.shape), np.int64) if is_root else None
        communicator.Gather(mine, block)
        if whole is not None and block is not None:
            whole[:, first : first + rows] = block.transpose(1, 2, 0)
    if whole is None:
        return None
    device_ns = whole[2] if len(whole) > 2 else None
    return Sample(start_ns=whole[0], stop_ns=whole[1], batch=batch, device_ns=device_ns)
