"""The NCCL transport on a stub of libnccl and libcuda that moves real bytes between the ranks."""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collcast.bench.case import BYTES_PER_ELEMENT, COLLECTIVES, OPERATIONS, PAIRS, PLACEMENTS, Case
from collcast.bench.collectives import TABLE
from collcast.bench.errors import MeasurementError, TransportError
from collcast.bench.measure import measure
from collcast.bench.mpi import load_mpi
from collcast.bench.support import refusal
from collcast.bench.transports import Transport
from collcast.bench.transports.nccl import NcclTransport
from collcast.native import BUILTINS, Step

PROTOCOLS = (
    {"mode": "latency", "metric": "host"},
    {"mode": "latency", "metric": "device"},
    {"mode": "throughput", "batch": 3},
    {"mode": "graph", "batch": 3},
)
ALL = tuple(name for name in COLLECTIVES if name not in {*PAIRS, "noise"})
AXES = (
    ALL,
    tuple(BYTES_PER_ELEMENT),
    PLACEMENTS,
    OPERATIONS,
    tuple(range(len(PROTOCOLS))),
)
WHOLE_MATRIX = "COLLCAST_MATRIX" in os.environ


def possible(row: tuple[Any, ...]) -> bool:
    """NCCL reduces no 16-bit integers, and exchanges between different buffers only."""
    collective, _, placement, _, _ = row
    apart = collective in {"all_to_all", "all_to_allv", "send_recv", "copy"}
    return not (apart and placement == "in_place") and not refusal(case_of(row, 2))


def pairwise(seed: int = 0) -> list[tuple[Any, ...]]:
    """Rows in which every possible pair of values of two axes occurs: greedy, from a fixed seed."""
    rows = [row for row in itertools.product(*AXES) if possible(row)]
    random.Random(seed).shuffle(rows)
    if WHOLE_MATRIX:
        return rows

    def pairs(row: tuple[Any, ...]) -> set[Any]:
        return set(itertools.combinations(enumerate(row), 2))

    missing = set().union(*(pairs(row) for row in rows))
    chosen = []
    while missing:
        sampled = rows if len(missing) < 60 else rows[:200]
        best = max(sampled, key=lambda row: len(pairs(row) & missing))
        if not pairs(best) & missing:
            best = max(rows, key=lambda row: len(pairs(row) & missing))
        chosen.append(best)
        missing -= pairs(best)
    return chosen


def case_of(row: tuple[Any, ...], ranks: int, per_peer: int = 24) -> Case:
    collective, dtype, placement, operation, _ = row
    size = 0 if collective == "barrier" else per_peer * ranks * BYTES_PER_ELEMENT[dtype]
    return Case(
        collective=collective, message_bytes=size, dtype=dtype, placement=placement,
        operation=operation, transport="nccl", memory="device", root=ranks - 1,
        counts="zipf:1:0" if collective == "all_to_allv" else "uniform",
    )  # fmt: skip


@pytest.mark.parametrize("alone", [False, True])
def test_every_pair_of_choices_gives_the_right_result(
    world: Any, stub_session: Any, alone: bool
) -> None:
    """Collective x dtype x placement x operation x protocol; `make matrix` takes all products."""
    communicator = load_mpi().COMM_SELF if alone else world
    sessions = [stub_session(communicator=communicator, **fields) for fields in PROTOCOLS]
    if alone and world.rank > 0:
        return
    for row in pairwise():
        case = case_of(row, communicator.size)
        measurement = measure(case, sessions[row[4]])
        if communicator.rank == 0:
            assert measurement.wrong == (None if case.collective == "barrier" else 0), row
            device_ns = measurement.sample.device_ns
            assert device_ns.shape == (3, communicator.size)
            assert np.all(device_ns > 0)


def test_where_the_driver_waits_for_no_word_a_kernel_spins(
    world: Any, stub_session: Any, stub_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded once, launched before every timed operation; the device's time is behind it."""
    monkeypatch.setenv("STUB_NO_GATE", "1")
    session = stub_session(metric="device")
    case = case_of(("all_reduce", "float32", "out_of_place", "sum", 1), world.size)
    for _ in range(2):
        before = len(stub_log())
        measurement = measure(case, session)
        assert world.bcast(measurement.wrong if measurement else None) == 0
        assert stub_log()[before:].count("cuLaunchKernel") == 4  # warm-up and three samples
    if measurement:
        sample = measurement.sample
        assert np.all(sample.device_ns <= sample.stop_ns - sample.start_ns + 100)


def test_without_any_gate_the_device_s_metric_is_refused(
    world: Any, stub_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_NO_GATE", "1")
    monkeypatch.setattr("collcast.bench.gate._SPIN", b".entry turn(")
    case = case_of(("all_reduce", "float32", "out_of_place", "sum", 1), world.size)
    with pytest.raises(TransportError, match=r"^gate: found .*refuses.*--metric host needs none"):
        measure(case, stub_session(metric="device"))


def test_messages_larger_than_one_piece_are_right(world: Any, stub_session: Any) -> None:
    session = stub_session(largest_bytes=1 << 23, metric="device")
    for collective in sorted(set(ALL) - {"barrier"}):
        case = case_of((collective, "int32", "out_of_place", "sum", 0), world.size, 100_001)
        measurement = measure(case, session)
        assert world.bcast(measurement.wrong if measurement else None) == 0, collective


def test_an_older_library_exchanges_by_sends_and_receives(
    world: Any, stub_session: Any, old_gpu_stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of one send and one receive per peer where ncclAlltoAll is missing."""
    monkeypatch.setenv("COLLCAST_STUB", str(old_gpu_stub))
    session = stub_session()
    case = case_of(("all_to_all", "float32", "out_of_place", "sum", 0), world.size)
    buffers = session.pool.buffers(case, world.rank, world.size)
    assert len(session.transports["nccl"].operation(case, buffers)) == 2 * world.size + 2
    measurement = measure(case, session)
    assert world.bcast(measurement.wrong if measurement else None) == 0


@pytest.mark.parametrize("old", [False, True])
def test_groups_that_measure_at_once_are_split_from_one_communicator(
    world: Any, stub_session: Any, stub_log: Any, old_gpu_stub: Any,
    monkeypatch: pytest.MonkeyPatch, old: bool,
) -> None:  # fmt: skip
    """Pairs of four ranks, else single ones; without ncclCommSplit each has an id of its own."""
    if old:
        monkeypatch.setenv("COLLCAST_STUB", str(old_gpu_stub))
    size = 2 if world.size == 4 else 1
    group = world.Split(world.rank // size, world.rank)
    before = stub_log().count("ncclCommSplit")
    transport = NcclTransport(group, together=world)
    assert stub_log().count("ncclCommSplit") == before + (not old)
    session = replace(stub_session(communicator=group), transports={"nccl": transport})
    for collective in ("all_gather", "broadcast"):
        case = case_of((collective, "int32", "out_of_place", "sum", 0), size)
        measurement = measure(case, session)
        assert group.bcast(measurement.wrong if measurement else None) == 0
    transport.close()
    group.Free()


def test_the_device_s_time_lies_within_the_host_s_behind_a_gate(
    world: Any, stub_session: Any
) -> None:
    """The first event waits for the gate, which opens after the host's start stamp."""
    measurement = measure(
        case_of(("all_reduce", "float32", "out_of_place", "sum", 1), world.size),
        stub_session(metric="device", repetitions=20),
    )
    if measurement is None:
        return
    sample = measurement.sample
    assert np.all(sample.device_ns <= sample.stop_ns - sample.start_ns + 100)  # float32 ms
    assert sample.seconds("device") == pytest.approx(sample.device_ns.max(axis=1) * 1e-9)


class _Changed(Transport):
    """The transport with its steps changed."""

    name = "nccl"

    def __init__(self, real: NcclTransport, change: Any, arranged: Any = None) -> None:
        self._real, self._change, self._arranged = real, change, arranged

    def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
        return tuple(self._change(list(self._real.operation(case, buffers))))

    def arrange(self, operation: Any, protocol: Any) -> Any:
        found = self._real.arrange(operation, protocol)
        if self._arranged is None:
            return found
        steps, once = (tuple(self._arranged(list(s))) for s in (found.steps, found.once))
        return replace(found, steps=steps, once=once)

    def describe(self, code: int, function: int = 0) -> str:
        return self._real.describe(code, function)

    def abort(self) -> None:
        self._real.abort()


def changed(session: Any, change: Any = None, arranged: Any = None) -> Any:
    real = session.transports["nccl"]
    return replace(
        session, transports={"nccl": _Changed(real, change or (lambda steps: steps), arranged)}
    )


def test_a_slow_launch_is_hidden_from_the_device_s_metric_only(
    world: Any, stub_session: Any
) -> None:
    """20 ms spent in the call count for the host's metric, not for the device's."""
    slow = [Step(BUILTINS["delay"], (20_000_000,), "timed")]
    case = case_of(("all_reduce", "float32", "out_of_place", "sum", 0), world.size)
    times = {
        metric: measure(case, changed(stub_session(metric=metric), lambda steps: slow + steps))
        for metric in ("host", "device")
    }
    if world.rank == 0:
        assert times["host"].sample.seconds("local_max").min() > 0.02
        assert times["device"].sample.seconds("device").min() < 0.01


def swap(first: int, second: int) -> Any:
    """Exchange two arguments of the first call."""

    def change(steps: list[Step]) -> list[Step]:
        words = list(steps[0].arguments)
        words[first], words[second] = words[second], words[first]
        return [replace(steps[0], arguments=tuple(words)), *steps[1:]]

    return change


def without(kind: str, group: str) -> Any:
    """Leave out the last step of a group: ``record`` takes two arguments, ``wait`` one."""

    def change(steps: list[Step]) -> list[Step]:
        count = {"record": 2, "wait": 1}[kind]
        last = max(i for i, s in enumerate(steps) if s.group == group and len(s.arguments) == count)
        return steps[:last] + steps[last + 1 :]

    return change


@pytest.mark.parametrize(
    ("collective", "change", "arranged"),
    [
        pytest.param("all_reduce", swap(0, 1), None, id="send and receive exchanged"),
        pytest.param("all_reduce", swap(2, 3), None, id="count and type exchanged"),
        pytest.param("all_reduce", swap(5, 6), None, id="communicator and stream exchanged"),
        pytest.param("broadcast", swap(2, 4), None, id="count and root exchanged"),
        pytest.param("send_recv", lambda steps: steps[:-1], None, id="no group end"),
        pytest.param("send_recv", lambda steps: steps[1:-1], None, id="no group"),
        pytest.param("all_reduce", None, without("record", "complete"), id="no last event"),
        pytest.param("all_reduce", None, without("record", "before"), id="no first event"),
        pytest.param("all_reduce", None, without("wait", "complete"), id="no wait"),
    ],
)
def test_a_mistake_in_the_plan_is_found(
    world: Any, stub_session: Any, monkeypatch: pytest.MonkeyPatch, collective: str, change: Any,
    arranged: Any,
) -> None:  # fmt: skip
    """Either a call returns an error on every rank, or the result is wrong."""
    monkeypatch.setenv("STUB_TIMEOUT_S", "0.3")
    monkeypatch.setenv("STUB_DELAY_US", "20000")
    session = changed(stub_session(), change, arranged)
    case = case_of((collective, "float32", "out_of_place", "sum", 0), world.size)
    try:
        measurement = measure(case, session)
    except MeasurementError:
        return
    wrong = world.bcast(measurement.wrong if measurement else None)
    assert wrong > 0


def test_an_unsynchronised_read_is_seen_as_wrong(
    world: Any, stub_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without wait and events, nothing complains; the verified result does."""
    monkeypatch.setenv("STUB_DELAY_US", "20000")
    session = changed(
        stub_session(),
        None,
        lambda steps: [step for step in steps if step.group == "timed"],
    )
    session = replace(session, protocol=replace(session.protocol, repetitions=1, warmup=0))
    case = case_of(("all_reduce", "float32", "out_of_place", "sum", 0), world.size)
    measurement = measure(case, session)
    if world.rank == 0:
        assert measurement.wrong > 0


@pytest.mark.parametrize(
    ("fields", "sample"),
    [
        ({"mode": "throughput", "batch": 20}, ["ncclAllReduce"] * 20),
        ({"mode": "graph", "batch": 20}, ["cuGraphLaunch"]),
        ({}, ["ncclAllReduce"]),
    ],
)
def test_nothing_but_the_calls_stands_between_the_stamps(
    stub_session: Any, stub_log: Any, fields: dict[str, Any], sample: list[str]
) -> None:
    """One sample of 8 B on one rank: the calls, two events, one wait, one time read."""
    session = stub_session(communicator=load_mpi().COMM_SELF, **fields)
    case = Case(collective="all_reduce", message_bytes=8, transport="nccl", memory="device")
    measure(case, session)
    one = ["cuEventRecord", *sample, "cuEventRecord", "cuStreamSynchronize"]
    one.append("cuEventElapsedTime_v2")
    assert stub_log()[-3 * len(one) :] == 3 * one


def test_a_graph_holds_as_many_operations_as_a_sample_has(stub_session: Any, stub_log: Any) -> None:
    """Called once, then captured for the samples, and alone for verification; freed afterwards."""
    session = stub_session(communicator=load_mpi().COMM_SELF, mode="graph", batch=7)
    case = Case(collective="all_reduce", message_bytes=8, transport="nccl", memory="device")
    for round_number in range(2):
        before = stub_log()
        measurement = measure(case, session)
        after = stub_log()
        counts = {
            name: after.count(name) - before.count(name)
            for name in ("ncclAllReduce", "cuGraphLaunch", "cuGraphExecDestroy")
        }
        assert list(counts.values()) == [1 + 7 + 1, 1 + 1 + 3, 2 * round_number]
        assert measurement.sample.batch == 7


def test_a_slow_operation_is_slow_by_every_measure(
    world: Any, stub_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 ms on the device: in the host's times, in the device's, and per operation of a batch."""
    monkeypatch.setenv("STUB_DELAY_US", "20000")
    case = case_of(("all_reduce", "float32", "out_of_place", "sum", 0), world.size)
    for fields in PROTOCOLS:
        measurement = measure(case, stub_session(**fields))
        if measurement is None:
            continue
        sample = measurement.sample
        assert sample.seconds("local_max").min() > 0.02
        assert sample.seconds("device").min() > 0.0199


@pytest.mark.parametrize("kind", ["buffer", "window"])
def test_buffers_can_be_registered(world: Any, stub_session: Any, stub_log: Any, kind: str) -> None:
    session = stub_session()
    transport = session.transports["nccl"]
    regions = tuple(transport.allocate(4096) for _ in range(2))
    transport.register(regions, kind)
    name = "ncclCommWindowRegister" if kind == "window" else "ncclCommRegister"
    assert stub_log()[-2:] == [name, name]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"collective": "all_to_all", "placement": "in_place"}, "all_to_all in place"),
        ({"collective": "send_recv", "placement": "in_place"}, "send_recv in place"),
        ({"collective": "all_reduce", "dtype": "int16"}, "dtype int16"),
    ],
)
def test_what_nccl_has_not_is_refused(
    world: Any, stub_session: Any, fields: dict[str, Any], message: str
) -> None:
    case = Case(**fields, message_bytes=64 * world.size, transport="nccl", memory="device")
    assert TABLE[case.collective]
    with pytest.raises(TransportError, match=message):
        measure(case, stub_session())


def test_a_failed_call_names_function_reason_and_rank(
    world: Any, stub_session: Any, stub_log: Any
) -> None:
    """The communicator is aborted."""
    session = stub_session()
    case = case_of(("all_reduce", "float32", "out_of_place", "sum", 0), world.size)
    broken = changed(session, swap(2, 3))
    with pytest.raises(
        MeasurementError, match=rf"rank {world.rank}, .* ncclAllReduce: invalid argument .*type"
    ):
        measure(case, broken)
    assert "ncclCommAbort" in stub_log()
