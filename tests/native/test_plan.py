"""The timed loop in C, and its Python twin held to the same assertions."""

from __future__ import annotations

import gc
import inspect
import mmap
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from collcast.native import BUILTINS, Step, StepError, _timing, monotonic_ns, run, run_in_python

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=[run, run_in_python], ids=["c", "python"])
def loop(request: pytest.FixtureRequest) -> Callable[..., None]:
    return request.param


def stamps(samples: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(samples, np.int64), np.zeros(samples, np.int64)


@pytest.mark.parametrize("arguments", range(13))
def test_every_arity_passes_every_word(loop: Any, recorder: Any, arguments: int) -> None:
    """Words arrive in order, signed or unsigned, up to twelve."""
    words = tuple((-1) ** i * (i + 1) * 0x1234_5678_9ABC for i in range(arguments))
    loop([Step(recorder.address(arguments), words, "timed")], *stamps(1))
    assert recorder.calls == [words]


def test_words_above_the_signed_range_keep_their_bits(loop: Any, recorder: Any) -> None:
    loop([Step(recorder.address(1), (0xFFFF_FFFF_FFFF_FFFE,), "timed")], *stamps(1))
    assert recorder.calls == [(-2,)]


def test_groups_run_in_order_and_steps_in_the_callers(loop: Any, recorder: Any) -> None:
    """before ; batch x timed ; complete ; after, whatever the order of the list."""
    one = recorder.address(1)
    groups = ["after", "timed", "complete", "timed", "before"]
    plan = [Step(one, (number,), group) for number, group in enumerate(groups)]
    loop(plan, *stamps(2), batch=2)
    assert [call[0] for call in recorder.calls] == [4, 1, 3, 1, 3, 2, 0] * 2


def test_stamps_enclose_timed_and_complete_only(loop: Any) -> None:
    """A delay of 300 us counts in these two groups and nowhere else."""
    for group, counts in [("before", 0), ("timed", 1), ("complete", 1), ("after", 0)]:
        start, stop = stamps(3)
        earliest = monotonic_ns()
        loop([Step(BUILTINS["delay"], (300_000,), group)], start, stop)
        assert np.all((stop - start >= 300_000) == bool(counts))
        assert earliest <= start[0]
        assert np.all(start[1:] >= stop[:-1])
        assert monotonic_ns() >= stop[-1]


def test_tables_replace_arguments_by_sample_and_by_operation(loop: Any, recorder: Any) -> None:
    """Rows wrap around; the group ``timed`` counts operations, the others samples."""
    one = recorder.address(1)
    samples = np.array([[10], [11], [12]])
    operations = np.array([[20], [21], [22], [23], [24]])
    plan = [Step(one, (0,), "before", samples), Step(one, (0,), "timed", operations)]
    loop(plan, *stamps(3), offset=1, batch=2)
    assert [call[0] for call in recorder.calls] == [11, 22, 23, 12, 24, 20, 10, 21, 22]


def test_a_bad_return_code_names_step_iteration_and_code(loop: Any, recorder: Any) -> None:
    recorder.fail(at=5, code=7)  # calls 4 and 5 are those of sample 2
    plan = [Step(recorder.address(0), (), "before"), Step(recorder.address(1), (1,), "timed")]
    with pytest.raises(StepError, match="step 1 returned 7 in iteration 102") as caught:
        loop(plan, *stamps(9), offset=100)
    assert (caught.value.step, caught.value.iteration, caught.value.code) == (1, 102, 7)
    assert len(recorder.calls) == 6


def test_accepted_codes_let_the_loop_go_on(loop: Any, recorder: Any) -> None:
    recorder.fail(at=1, code=600)
    for ok in [(0, 600), ()]:
        loop([Step(recorder.address(0), (), "timed", ok=ok)], *stamps(3))
    with pytest.raises(StepError, match="returned 0"):
        loop([Step(recorder.address(0), (), "timed", ok=(600,))], *stamps(1))


def test_builtins_write_the_caller_s_words(loop: Any) -> None:
    word = np.zeros(2, np.int64)
    address = word.ctypes.data
    plan = [
        Step(BUILTINS["increment"], (address,), "timed"),
        Step(
            BUILTINS["store"],
            (address + 8, 0),
            "after",
            np.array([[address + 8, k] for k in range(4)]),
        ),
    ]
    loop(plan, *stamps(4), batch=3)
    assert word.tolist() == [12, 3]


def test_work_takes_time_in_proportion(loop: Any) -> None:
    """Ten times the rounds take about ten times as long: none is left out."""
    shortest_ns = []
    for rounds in (100_000, 1_000_000):
        start, stop = stamps(20)
        loop([Step(BUILTINS["work"], (rounds,), "timed")], start, stop)
        shortest_ns.append(int((stop - start).min()))
    assert shortest_ns[0] > 10_000  # no core does ten of these a nanosecond
    assert 5 < shortest_ns[1] / shortest_ns[0] < 20


def test_spin_until_starts_at_the_agreed_time(loop: Any) -> None:
    when = monotonic_ns() + 2_000_000 + 1_000_000 * np.arange(3).reshape(-1, 1)
    start, stop = stamps(3)
    loop([Step(BUILTINS["spin_until"], (0,), "before", when)], start, stop)
    late = start - when[:, 0]
    assert np.all(late >= 0)


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        (lambda f: [(f, 0, (0,) * 13, None, (0,))], "at most 12"),
        (lambda f: [(f, 4, (), None, (0,))], "group: found 4"),
        (lambda f: [(0, 1, (), None, (0,))], "null pointer"),
        (lambda f: [(f, 1, (1 << 64,), None, (0,))], "int too big|too large"),
        (lambda f: [(f, 1, (), None, (0,) * 5)], "at most 4"),
        (lambda f: [(f, 1, (), None, (0, 1 << 32))], "step 0: ok: found 4294967296"),
        (lambda f: [(f, 1, (), None, (-(1 << 31) - 1,))], "ok: found -2147483649"),
        (lambda f: [(f, 1, (), None, (1 << 80,))], "ok: found 1208925819614629174706176"),
        (lambda f: [(f, 1, (0,), np.zeros((2, 2), np.int64), (0,))], "shape"),
        (lambda f: [(f, 1, (0,), np.zeros((0, 1), np.int64), (0,))], "shape"),
        (lambda f: [(f, 1, (0,), np.zeros((2, 1), np.int32), (0,))], "int64"),
        (lambda f: [(f, 1, (0,), np.zeros((2, 1)), (0,))], "int64"),
        (lambda f: [(f, 1, (0,), np.zeros((4, 2), np.int64)[:, :1], (0,))], "contiguous"),
        (lambda f: [(f, 1)], "expected"),
        (lambda f: [(f, 1, ("x",), None, (0,))], "int"),
    ],
)
def test_bad_plans_are_refused_with_the_field_named(recorder: Any, steps: Any, error: str) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError, BufferError), match=error):
        _timing.run_plan(tuple(steps(recorder.address(0))), *stamps(1), 0, 1)
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("start", "stop", "error"),
    [
        (np.zeros(3, np.int64), np.zeros(2, np.int64), "stop_ns: found length 2, expected 3"),
        (np.zeros((3, 1), np.int64), np.zeros(3, np.int64), "start_ns"),
        (np.zeros(3), np.zeros(3, np.int64), "start_ns"),
        (np.zeros(3, np.int64), np.zeros(6, np.int64)[::2], "contiguous"),
        (b"12345678", np.zeros(1, np.int64), "writable|read-only|not writable"),
    ],
)
def test_bad_stamp_arrays_are_refused(start: Any, stop: Any, error: str) -> None:
    with pytest.raises((ValueError, BufferError), match=error):
        run([], start, stop)


@pytest.mark.parametrize(
    ("offset", "batch"), [(-1, 1), (0, 0), ((1 << 63) - 1, 1), (1 << 40, 1 << 40)]
)
def test_bad_counts_are_refused(offset: int, batch: int) -> None:
    """Also those with which the number of an operation would not fit 64 bits."""
    with pytest.raises((ValueError, OverflowError), match="offset, batch"):
        run([], *stamps(1), offset=offset, batch=batch)


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match=r"step\.group: found 'during'"):
        Step(1, (), "during")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_interrupt_a_long_loop(number: int) -> None:
    """The loop of 60 s ends soon after a signal whose handler raises."""

    class InterruptedByTestError(Exception):
        pass

    def handler(*_: object) -> None:
        raise InterruptedByTestError

    previous = signal.signal(number, handler)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), number))
    began = time.monotonic()
    try:
        timer.start()
        with pytest.raises(InterruptedByTestError):
            run([Step(BUILTINS["delay"], (1_000_000,), "timed")], *stamps(60_000))
    finally:
        timer.join()
        signal.signal(number, previous)
    assert time.monotonic() - began < 5


def test_other_threads_run_during_the_loop() -> None:
    """The GIL is released: a thread counts while the loop spins."""
    counted = 0
    finished = threading.Event()

    def count() -> None:
        nonlocal counted
        while not finished.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    run([Step(BUILTINS["delay"], (200_000_000,), "timed")], *stamps(1))
    finished.set()
    thread.join()
    assert counted > 20


def resident_kib() -> int:
    """What the process holds now; its peak would hide a leak below an earlier one."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * mmap.PAGESIZE // 1024


def test_nothing_leaks_over_millions_of_calls(recorder: Any) -> None:
    """Reference counts of what a plan holds stay the same, and so does the resident memory.

    The binding is called often enough that the loss of one small object per call would show, on
    every way out of it: done, a bad code, a bad plan.
    """
    table = np.zeros((4, 1), np.int64)
    start, stop = stamps(1000)
    step = Step(BUILTINS["delay"], (0,), "timed", table)
    failing = Step(BUILTINS["nothing"], (), "timed", ok=(1,))
    refused = Step(BUILTINS["nothing"], (), "timed", ok=(1 << 40,))

    def once() -> None:
        run([step], start[:1], stop[:1])
        for last, error in ((failing, StepError), (refused, OverflowError)):
            with pytest.raises(error):
                run([step, last], start[:1], stop[:1])

    for _ in range(100):
        once()
    run([step], start, stop)
    gc.collect()
    counts = [sys.getrefcount(held) for held in (table, start, stop, step)]
    before_kib = resident_kib()
    for _ in range(20_000):
        once()
    for _ in range(1000):
        run([step], start, stop)
    gc.collect()
    assert [sys.getrefcount(held) for held in (table, start, stop, step)] == counts
    assert resident_kib() - before_kib < 1024  # 20,000 x 3 losses of 48 bytes are 2.8 MiB


def test_signatures_are_known_to_inspect() -> None:
    """So that stubtest can hold the .pyi to them."""
    assert list(inspect.signature(_timing.run_plan).parameters) == [
        "steps",
        "start_ns",
        "stop_ns",
        "offset",
        "batch",
    ]
