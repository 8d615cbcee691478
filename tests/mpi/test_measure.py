"""Measured operations are right, and what they return is what the loop stamped."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collcast.bench.buffers import BufferPool
from collcast.bench.case import BYTES_PER_ELEMENT, OPERATIONS, PLACEMENTS, Case
from collcast.bench.collectives import region_bytes
from collcast.bench.counts import busiest_bytes
from collcast.bench.errors import CaseError, MeasurementError, TransportError
from collcast.bench.measure import measure
from collcast.bench.mpi import address_of, load_mpi
from collcast.bench.support import reducible
from collcast.bench.transports import Transport
from collcast.bench.transports import mpi as mpi_transport
from collcast.native import BUILTINS, Step, run

REDUCIBLE = sorted(reducible("mpi"))


def wrong_everywhere(world: Any, measurement: Any) -> int | None:
    return world.bcast(measurement.wrong if measurement else None)


@pytest.mark.parametrize("dtype", REDUCIBLE)
@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "avg"])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_all_reduce_is_right(
    world: Any, session: Any, dtype: str, operation: str, placement: str
) -> None:
    case = Case(
        collective="all_reduce",
        message_bytes=1000 * BYTES_PER_ELEMENT[dtype],
        dtype=dtype,
        operation=operation,
        placement=placement,
    )
    assert wrong_everywhere(world, measure(case, session())) == 0


@pytest.mark.parametrize("dtype", sorted(BYTES_PER_ELEMENT))
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("per_peer", [1, 1000])
def test_all_to_all_is_right(
    world: Any, session: Any, dtype: str, placement: str, per_peer: int
) -> None:
    size = per_peer * world.size * BYTES_PER_ELEMENT[dtype]
    case = Case(collective="all_to_all", message_bytes=size, dtype=dtype, placement=placement)
    assert wrong_everywhere(world, measure(case, session())) == 0


@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float64"])
@pytest.mark.parametrize("counts", ["uniform", "zipf:1.2:3", "zipf:9:1"])
@pytest.mark.parametrize("elements", [1, 7, 100_000])
def test_all_to_allv_is_right(
    world: Any, session: Any, dtype: str, counts: str, elements: int
) -> None:
    """Skewed so that some ranks get nothing, and beyond the chunk that verification takes."""
    size = elements * world.size * BYTES_PER_ELEMENT[dtype]
    case = Case(collective="all_to_allv", message_bytes=size, dtype=dtype, counts=counts)
    measurement = measure(case, session(region_bytes(case, world.size)))
    assert wrong_everywhere(world, measurement) == 0
    if measurement:
        assert measurement.busiest_bytes == busiest_bytes(case, world.size)


def test_counts_of_more_than_an_int_need_large_counts(world: Any, monkeypatch: Any) -> None:
    """The same operation through MPI's 64-bit functions where it has them, else one line."""
    monkeypatch.setattr(mpi_transport, "_INT_MAX", 10)
    case = Case(collective="all_to_allv", message_bytes=400, counts="zipf:1:0")
    pool = BufferPool(region_bytes(case, world.size), "host")
    buffers = pool.buffers(case, world.rank, world.size)
    transport = mpi_transport.MpiTransport(world)
    if address_of("MPI_Alltoallv_c") is None:
        with pytest.raises(TransportError, match="found no MPI_Alltoallv_c"):
            transport.operation(case, buffers)
        return
    buffers.prepare(case, world.rank, world.size, 0)
    run(transport.operation(case, buffers), *np.zeros((2, 1), np.int64))
    assert buffers.verify(case, world.rank, world.size, 0).wrong == 0


def test_what_mpi_cannot_reduce_is_one_line(world: Any, session: Any) -> None:
    for fields in (
        {"dtype": "float16"},
        {"dtype": "bfloat16"},
        {"dtype": "float8_e4m3"},
        {"operation": "avg"},
    ):
        case = Case(collective="all_reduce", message_bytes=64, **fields)
        with pytest.raises(TransportError, match=rf"^mpi: found .*{next(iter(fields.values()))}"):
            measure(case, session())


@pytest.mark.parametrize(
    "collective", ["all_gather", "reduce_scatter", "broadcast", "send_recv", "all_to_all"]
)
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("dtype", "per_peer"), [("int8", 1), ("int64", 999), ("float32", 70_000)])
def test_the_other_collectives_are_right(
    world: Any, session: Any, collective: str, placement: str, dtype: str, per_peer: int
) -> None:
    """Blocks of one element, of an odd number, and beyond the chunk that verification takes."""
    size = per_peer * world.size * BYTES_PER_ELEMENT[dtype]
    case = Case(
        collective=collective,
        message_bytes=size,
        dtype=dtype,
        placement=placement,
        root=world.size - 1,
    )
    assert wrong_everywhere(world, measure(case, session(1 << 21))) == 0


@pytest.mark.parametrize("collective", ["all_gather", "reduce_scatter", "broadcast", "send_recv"])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_doing_nothing_is_wrong(world: Any, session: Any, collective: str, placement: str) -> None:
    """A transport whose call does nothing leaves wrong elements on every rank that receives."""
    idle = replace(session(), transports={"mpi": _Idle()})
    case = Case(collective=collective, message_bytes=64 * world.size, placement=placement)
    wrong = wrong_everywhere(world, measure(case, idle))
    assert wrong is not None
    assert wrong > 8 * (world.size - 1)


class _Idle(Transport):
    name = "mpi"

    def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
        return (Step(BUILTINS["nothing"], (), "timed"),)

    def describe(self, code: int, function: int = 0) -> str:
        return ""


def test_a_root_that_is_no_rank_is_refused(world: Any, session: Any) -> None:
    case = Case(collective="broadcast", message_bytes=64, root=world.size)
    with pytest.raises(CaseError, match=f"root: found {world.size} on {world.size} ranks"):
        measure(case, session())


@pytest.mark.parametrize(
    ("protocol", "least_ns"),
    [
        ({}, 0),
        ({"mode": "throughput", "batch": 7}, 0),
        ({"synchronisation": "window"}, 0),
        ({"synchronisation": "none"}, 0),
    ],
)
def test_every_rank_s_stamps_arrive(
    world: Any, session: Any, protocol: dict[str, Any], least_ns: int
) -> None:
    """Shapes, order of stamps, batch; other ranks get nothing."""
    case = Case(collective="all_reduce", message_bytes=64)
    measurement = measure(case, session(**protocol))
    assert (measurement is not None) == (world.rank == 0)
    if measurement is None:
        return
    sample = measurement.sample
    assert sample.start_ns.shape == (5, world.size)
    assert measurement.warmup.start_ns.shape == (2, world.size)
    assert np.all(sample.stop_ns > sample.start_ns)
    assert np.all(sample.start_ns[1:] >= sample.stop_ns[:-1])
    assert np.all(sample.start_ns[0] >= measurement.warmup.stop_ns[-1])
    assert sample.batch == protocol.get("batch", 1)


def test_a_barrier_has_nothing_to_verify(world: Any, session: Any) -> None:
    measurement = measure(Case(collective="barrier", message_bytes=0), session())
    if world.rank == 0:
        assert measurement.wrong is None
        assert np.all(measurement.sample.seconds("local_max") > 0)


def test_window_starts_are_common(world: Any, session: Any) -> None:
    """All ranks of one host start a repetition within the jitter of a spinning process."""
    case = Case(collective="all_reduce", message_bytes=8)
    measurement = measure(case, session(synchronisation="window", repetitions=50))
    if world.rank == 0:
        start = measurement.sample.start_ns
        assert np.all(np.diff(start, axis=0) > 0)
        assert np.median(start.max(axis=1) - start.min(axis=1)) < 20_000_000


class _Faulty(Transport):
    """A transport whose rank 0 damages one byte of its output after every operation."""

    def __init__(self, real: Any, rank: int) -> None:
        self._real, self._rank, self.name = real, rank, real.name

    def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
        steps = self._real.operation(case, buffers)
        if self._rank != 0:
            return steps
        damage = Step(BUILTINS["increment"], (buffers.receive.ctypes.data + 24,), "complete")
        return (*steps, damage)

    def describe(self, code: int, function: int = 0) -> str:
        return self._real.describe(code)


@pytest.mark.parametrize(("placement", "found"), [("in_place", 1), ("out_of_place", 2)])
def test_a_fault_of_the_library_is_counted(
    world: Any, session: Any, placement: str, found: int
) -> None:
    """Once by the operation before the loop, and out of place once more by the last timed one."""
    faulty = session()
    faulty = replace(faulty, transports={"mpi": _Faulty(faulty.transports["mpi"], world.rank)})
    case = Case(collective="all_reduce", message_bytes=64, dtype="int64", placement=placement)
    measurement = measure(case, faulty)
    assert wrong_everywhere(world, measurement) == found
    if measurement:
        assert (measurement.first_wrong_rank, measurement.first_wrong) == (0, 3)
        assert measurement.largest_ulps == 1


@pytest.mark.parametrize(("placement", "ends"), [("in_place", 1), ("out_of_place", 2)])
@pytest.mark.parametrize("synchronisation", ["barrier", "none"])
def test_a_share_of_operations_between_the_timed_ones_is_verified(
    world: Any, session: Any, placement: str, ends: int, synchronisation: str
) -> None:
    """A tenth of 50 samples: apart from them, and each finds the fault."""
    faulty = session(repetitions=50, verify_share=0.1, synchronisation=synchronisation)
    faulty = replace(faulty, transports={"mpi": _Faulty(faulty.transports["mpi"], world.rank)})
    case = Case(collective="all_reduce", message_bytes=64, dtype="int64", placement=placement)
    measurement = measure(case, faulty)
    if measurement:
        assert measurement.verified.repetitions == 5
        assert measurement.wrong == ends + measurement.verified.repetitions
        assert measurement.sample.repetitions == 50
        inside = set(measurement.sample.start_ns.ravel()) & set(
            measurement.verified.start_ns.ravel()
        )
        assert not inside


class _Failing(_Faulty):
    """A transport whose call returns MPI_SUCCESS where another code was expected."""

    def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
        (step,) = self._real.operation(case, buffers)
        return (step, Step(BUILTINS["nothing"], (), "timed", ok=(1,)))


def test_a_bad_return_code_names_rank_step_iteration_and_reason(world: Any, session: Any) -> None:
    failing = session()
    failing = replace(failing, transports={"mpi": _Failing(failing.transports["mpi"], world.rank)})
    case = Case(collective="all_reduce", message_bytes=64)
    success = re.escape(load_mpi().Get_error_string(0))
    with pytest.raises(
        MeasurementError, match=rf"rank {world.rank}, step 1, iteration 0: {success}"
    ):
        measure(case, failing)


def test_sizes_that_do_not_divide_are_refused_on_every_rank(world: Any, session: Any) -> None:
    size = 4 * (world.size + 1)
    with pytest.raises(CaseError, match=f"expected a multiple of {4 * world.size}"):
        measure(Case(collective="all_to_all", message_bytes=size), session())


def test_large_counts_use_the_large_function_or_a_derived_type_or_refuse(
    world: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the limit lowered to 100, 128 elements per peer are too many for the classic call."""
    monkeypatch.setattr(mpi_transport, "_INT_MAX", 100)
    size = 128 * world.size * 4
    exchange = Case(collective="all_to_all", message_bytes=size)
    assert wrong_everywhere(world, measure(exchange, session())) == 0
    reduction = Case(collective="all_reduce", message_bytes=size)
    if mpi_transport.address_of("MPI_Allreduce_c"):
        assert wrong_everywhere(world, measure(reduction, session())) == 0
    else:
        with pytest.raises(TransportError, match="at most 100"):
            measure(reduction, session())


def test_a_large_count_in_place_goes_to_the_large_function(
    world: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether this MPI has one or not: an int function would take the lower half of the count."""
    monkeypatch.setattr(mpi_transport, "_INT_MAX", 100)
    monkeypatch.setattr(mpi_transport, "address_of", lambda name: 7 if "replace" in name else 1)
    case = Case(collective="send_recv", message_bytes=404, placement="in_place")
    made = session()
    buffers = made.pool.buffers(case, world.rank, world.size)
    (step,) = made.transports["mpi"].operation(case, buffers)
    assert (step.function, step.arguments[1]) == (7, 101)


def test_a_count_that_no_type_can_carry_is_refused(
    world: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpi_transport, "_INT_MAX", 100)
    monkeypatch.setattr(
        mpi_transport,
        "address_of",
        lambda name: None if name.endswith("_c") else 1,
    )
    odd = Case(collective="all_to_all", message_bytes=101 * world.size * 4)
    with pytest.raises(TransportError, match="101 elements per peer"):
        session(1 << 20).transports["mpi"].operation(
            odd, session(1 << 20).pool.buffers(odd, world.rank, world.size)
        )
