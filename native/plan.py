"""The call plan: what the timed loop runs, as values; and the same loop in plain Python.

One sample of a plan is

    before ; start = now ; batch x timed ; complete ; stop = now ; after

`run` executes it in C. `run_in_python` is the reference that the tests hold it to.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import _timing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._timing import _Buffer as Buffer

__all__ = ["GROUPS", "Step", "StepError", "run", "run_in_python"]

GROUPS = ("before", "timed", "complete", "after")
"""Groups of steps in the order in which one sample runs them."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One C call: integer and pointer arguments only, at most 12, returning int."""

    function: int
    """Address of the function."""

    arguments: tuple[int, ...]
    """64-bit words, signed or unsigned."""

    group: str
    """One of `GROUPS`."""

    table: Buffer | None = None
    """int64, C-contiguous, shape (rows, len(arguments)): row ``index % rows`` replaces `arguments`,
    where index counts samples, and operations in the group ``timed``."""

    ok: tuple[int, ...] = (0,)
    """Return codes that let the loop go on, at most 4; empty accepts every code."""

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise ValueError(
                f"step.group: found {self.group!r}, expected one of {', '.join(GROUPS)}"
            )


class StepError(RuntimeError):
    """A step returned a code that it does not accept."""

    def __init__(self, step: int, iteration: int, code: int, function: int = 0) -> None:
        super().__init__(f"step {step} returned {code} in iteration {iteration}")
        self.step = step
        """Its position in the plan."""
        self.iteration = iteration
        """The sample it happened in, counted from `offset`."""
        self.code = code
        """What it returned."""
        self.function = function
        """Address of the function that returned it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.step, self.iteration, self.code, self.function)


def run(
    steps: Iterable[Step], start_ns: Buffer, stop_ns: Buffer, *, offset: int = 0, batch: int = 1
) -> None:
    """Run one sample per element of `start_ns`, in C, with the GIL released.

    Parameters
    ----------
    steps : iterable of Step
        Steps of one group run in the order given.
    start_ns, stop_ns : int64 arrays of shape (samples,), written
        Stamps of `monotonic_ns`.
    offset : int
        Index of the first sample, for tables.
    batch : int
        How often a sample runs the group ``timed``.

    Raises
    ------
    StepError
        At the first return code that is not accepted.
    """
    described = tuple(
        (step.function, GROUPS.index(step.group), step.arguments, step.table, step.ok)
        for step in steps
    )
    completed, failed, code = _timing.run_plan(described, start_ns, stop_ns, offset, batch)
    if failed >= 0:
        raise StepError(failed, offset + completed, code, described[failed][0])


def run_in_python(
    steps: Iterable[Step], start_ns: Buffer, stop_ns: Buffer, *, offset: int = 0, batch: int = 1
) -> None:
    """Do what `run` does in plain Python: the reference implementation."""
    numbered = list(enumerate(steps))
    groups = [[(i, step) for i, step in numbered if step.group == name] for name in GROUPS]
    before, timed, complete, after = groups
    starts, stops = memoryview(start_ns), memoryview(stop_ns)
    for sample in range(len(starts)):
        index = offset + sample
        _call(before, index, index)
        starts[sample] = _timing.monotonic_ns()
        for operation in range(index * batch, (index + 1) * batch):
            _call(timed, operation, index)
        _call(complete, index, index)
        stops[sample] = _timing.monotonic_ns()
        _call(after, index, index)


def _call(steps: Sequence[tuple[int, Step]], index: int, sample: int) -> None:
    for number, step in steps:
        words = step.arguments
        if step.table is not None:
            table = memoryview(step.table)
            words = tuple(table[index % len(table), i] for i in range(len(words)))
        signature = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint64] * len(words))
        code = signature(step.function)(*[word & 0xFFFF_FFFF_FFFF_FFFF for word in words])
        if step.ok and code not in step.ok:
            raise StepError(number, sample, code, step.function)
