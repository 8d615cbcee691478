"""Host-staged MPI with a stub of the CUDA driver: copies that count, on memory of the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collcast.bench.case import Case
from collcast.bench.driver import Driver
from collcast.bench.errors import TransportError
from collcast.bench.measure import measure
from collcast.bench.transports.staged import StagedTransport
from collcast.native import run


@pytest.mark.parametrize(
    ("collective", "algorithm"),
    [
        ("all_reduce", "native"),
        ("all_reduce", "ring"),
        ("all_reduce", "binomial"),
        ("all_to_all", "native"),
        ("all_to_all", "bruck"),
        ("all_gather", "native"),
        ("reduce_scatter", "native"),
        ("broadcast", "native"),
        ("send_recv", "native"),
        ("barrier", "native"),
        ("copy", "native"),
    ],
)
@pytest.mark.parametrize("placement", ["in_place", "out_of_place"])
def test_the_result_comes_back_to_the_device(
    world: Any, stub_session: Any, stub_log: Any, collective: str, algorithm: str, placement: str
) -> None:
    """Right results, and one copy each way per operation."""
    size = 0 if collective == "barrier" else 64 * world.size
    case = Case(
        collective=collective, message_bytes=size, transport="staged", memory="device",
        placement="out_of_place" if collective == "copy" else placement, algorithm=algorithm,
    )  # fmt: skip
    staged = stub_session("staged", repetitions=5, warmup=2)
    names = ("cuMemcpyDtoH_v2", "cuMemcpyHtoD_v2")
    before = [stub_log().count(name) for name in names]
    measurement = measure(case, staged)
    wrong = world.bcast(measurement.wrong if measurement else None)
    assert wrong == (None if collective == "barrier" else 0)
    operations = 0 if collective == "barrier" else 1 + 2 + 5  # verified, warm-up, timed
    calls = [stub_log().count(name) for name in names]
    assert [after - first for after, first in zip(calls, before, strict=True)] == [operations] * 2


def test_a_missing_driver_is_one_clear_error(world: Any) -> None:
    with pytest.raises(TransportError, match=r"cuda: found no driver .*libnone"):
        StagedTransport(world, Driver("libnone.so.1"))


CUT = ("all_reduce", "broadcast", "send_recv", "copy")
CUT_IN_BLOCKS = ("all_gather", "reduce_scatter", "all_to_all")


@pytest.mark.parametrize(
    ("collective", "algorithm"),
    [
        *((name, "native") for name in (*CUT, *CUT_IN_BLOCKS)),
        ("all_reduce", "ring"),
        ("all_to_all", "bruck"),
    ],
)
@pytest.mark.parametrize("placement", ["in_place", "out_of_place"])
def test_chunks_give_the_same_result(
    world: Any, stub_session: Any, stub_log: Any, collective: str, algorithm: str, placement: str
) -> None:
    """Chunks that divide the message and that do not, down to an element of every block."""
    if (collective, placement) == ("copy", "in_place"):
        return
    for chunk_bytes in (64, 100, 12):
        session = stub_session("staged", staging_chunk_bytes=chunk_bytes)
        case = Case(
            collective=collective, message_bytes=240 * world.size, transport="staged",
            memory="device", placement=placement, root=world.size - 1, algorithm=algorithm,
        )  # fmt: skip
        measurement = measure(case, session)
        assert world.bcast(measurement.wrong if measurement else None) == 0
        assert stub_log()[-1] == "cuStreamSynchronize"
    buffers = session.pool.buffers(case, world.rank, world.size)
    used = {step.function for step in session.transports["staged"].operation(case, buffers)}
    spreads = session.transports["staged"]._driver.address("cuMemcpy2DAsync_v2") in used
    assert spreads == (collective in CUT_IN_BLOCKS and world.size > 1)


def test_a_block_that_no_copy_skips_is_refused(
    world: Any, stub_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collcast.bench.transports.staged._MOST_PITCH", 1000)
    case = Case(
        collective="all_to_all", message_bytes=1024 * world.size, transport="staged",
        memory="device",
    )  # fmt: skip
    with pytest.raises(TransportError, match=r"staging-chunk: found blocks of 1024 B.*most 1000"):
        measure(case, stub_session("staged", staging_chunk_bytes=256))


def steps_of(session: Any, world: Any) -> tuple[Any, Any]:
    case = Case(collective="all_reduce", message_bytes=4096, transport="staged", memory="device")
    buffers = session.pool.buffers(case, world.rank, world.size)
    return case, session.transports["staged"].operation(case, buffers)


def test_all_copies_down_are_queued_before_the_first_chunk_is_reduced(
    world: Any, stub_session: Any, stub_log: Any
) -> None:
    session = stub_session("staged", staging_chunk_bytes=1024)
    _, steps = steps_of(session, world)
    before = len(stub_log())
    run(steps, *np.zeros((2, 1), np.int64))
    assert stub_log()[before:] == [
        *["cuMemcpyDtoHAsync_v2", "cuEventRecord"] * 4,
        *["cuEventSynchronize", "cuMemcpyHtoDAsync_v2"] * 4,
        "cuStreamSynchronize",
    ]


@pytest.mark.parametrize("left_out", ["cuEventSynchronize", "cuStreamSynchronize"])
def test_a_chunk_that_nobody_waits_for_is_wrong(
    world: Any, stub_session: Any, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    monkeypatch.setenv("STUB_DELAY_US", "20000")
    session = stub_session("staged", staging_chunk_bytes=1024)
    case, steps = steps_of(session, world)
    address = session.transports["staged"]._driver.address(left_out)
    buffers = session.pool.buffers(case, world.rank, world.size)
    buffers.prepare(case, world.rank, world.size, 0)
    run([s for s in steps if s.function != address], *np.zeros((2, 1), np.int64))
    assert world.allreduce(buffers.verify(case, world.rank, world.size, 0).wrong) > 0
