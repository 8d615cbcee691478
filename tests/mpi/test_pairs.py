"""Operations between two ranks: right in every element, timed as messages, others asleep."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from collcast.bench.case import BYTES_PER_ELEMENT, PAIRS, Case
from collcast.bench.errors import TransportError
from collcast.bench.pairs import measure_pairs, rounds_of
from collcast.bench.transports import pair as pair_transport
from collcast.native import BUILTINS, Step


def pair_of(world: Any) -> tuple[int, int]:
    if world.size < 2:
        pytest.skip("needs two ranks")
    return 0, world.size - 1


@pytest.mark.parametrize("collective", PAIRS)
@pytest.mark.parametrize(("mode", "batch"), [("latency", 1), ("throughput", 5)])
@pytest.mark.parametrize(("dtype", "elements"), [("int8", 1), ("float64", 999), ("int32", 300_000)])
def test_every_element_arrives(
    world: Any, session: Any, collective: str, mode: str, batch: int, dtype: str, elements: int
) -> None:
    root, peer = pair_of(world)
    size = elements * BYTES_PER_ELEMENT[dtype]
    case = Case(collective=collective, message_bytes=size, dtype=dtype, root=root, peer=peer)
    found = measure_pairs([case], session(1 << 21, mode=mode, batch=batch))
    assert len(found) == (world.rank == 0)
    for measurement in found:
        assert measurement.wrong == 0
        assert measurement.members == (root, peer)
        assert measurement.sample.start_ns.shape == (5, 2)
        assert measurement.sample.batch == batch * (2 if collective == "ping_pong" else 1)


@pytest.mark.parametrize("collective", PAIRS)
def test_doing_nothing_is_wrong(
    world: Any, session: Any, collective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, peer = pair_of(world)
    nothing = (Step(BUILTINS["nothing"], (), "timed"),)
    monkeypatch.setattr(pair_transport.PairTransport, "operation", lambda *_: nothing)
    case = Case(collective=collective, message_bytes=4096, root=root, peer=peer)
    for measurement in measure_pairs([case], session()):
        receivers = 1 if collective == "unidirectional" else 2
        assert measurement.wrong == 2 * 1024 * receivers  # before and after the timed loop


def test_a_latency_is_half_the_round_trip(
    world: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer rests 300 us before it answers: 150 us of every message."""
    root, peer = pair_of(world)
    real = pair_transport.PairTransport.operation

    def resting(self: Any, case: Case, buffers: Any) -> tuple[Step, ...]:
        receive, send = real(self, case, buffers)
        if self._communicator.rank == 0:
            return receive, send
        return receive, Step(BUILTINS["delay"], (300_000,), "timed"), send

    monkeypatch.setattr(pair_transport.PairTransport, "operation", resting)
    case = Case(collective="ping_pong", message_bytes=64, root=root, peer=peer)
    for measurement in measure_pairs([case], session(repetitions=50)):
        fastest_s = measurement.sample.seconds("local_max").min()
        assert 150e-6 < fastest_s < 250e-6


def test_a_verified_round_trip_is_two_messages_as_a_timed_one_is(world: Any, session: Any) -> None:
    root, peer = pair_of(world)
    case = Case(collective="ping_pong", message_bytes=64, root=root, peer=peer)
    for measurement in measure_pairs([case], session(verify_share=1.0)):
        assert measurement.verified.repetitions == 5
        assert measurement.verified.batch == measurement.sample.batch == 2


def test_a_window_takes_the_time_of_its_messages(world: Any, session: Any) -> None:
    """A batch of 16 large messages has 16 messages' time between its stamps, not one's."""
    root, peer = pair_of(world)
    case = Case(collective="unidirectional", message_bytes=1 << 20, root=root, peer=peer)
    one = measure_pairs([case], session(1 << 20, repetitions=10))
    many = measure_pairs([case], session(1 << 20, mode="throughput", batch=16, repetitions=10))
    for single, window in zip(one, many, strict=True):
        span_s = 16 * np.median(window.sample.seconds("local_max"))
        assert span_s > 3 * np.min(single.sample.seconds("local_max"))


def test_labels_of_a_launch_hold_for_its_pairs(world: Any, session: Any) -> None:
    """Ranks that crowd a host slow a pair down while they sleep; other pairs are a label more."""
    root, peer = pair_of(world)
    made = replace(session(), labels=("oversubscribed",))
    case = Case(collective="ping_pong", message_bytes=8, root=root, peer=peer)
    labels = [{m.labels for m in measure_pairs([case], made)}]
    cases = [replace(case, root=i, peer=i + 1) for i in range(0, world.size - 1, 2)]
    labels.append({m.labels for m in measure_pairs(cases, made)})
    more = ("pair_rounds",) if world.size > 3 else ()  # else there is no other pair
    if world.rank == 0:
        assert labels == [{("oversubscribed",)}, {("oversubscribed", *more)}]


@pytest.mark.parametrize("together", [False, True])
def test_every_pair_is_measured_once(world: Any, session: Any, together: bool) -> None:
    cases = [
        Case(collective="ping_pong", message_bytes=8, root=root, peer=peer)
        for root, peer in combinations(range(world.size), 2)
    ]
    found = []
    for members in rounds_of(cases, world.size, together=together):
        found += measure_pairs(members, session())
    if world.rank == 0:
        assert [m.case for m in found if m.wrong == 0] != [] or world.size == 1
        assert sorted((m.case.root, m.case.peer) for m in found) == [
            (case.root, case.peer) for case in cases
        ]


def test_staged_messages_are_refused(world: Any, session: Any) -> None:
    root, peer = pair_of(world)
    case = Case(
        collective="ping_pong", message_bytes=8, root=root, peer=peer, transport="staged",
        memory="device",
    )  # fmt: skip
    made = session()
    if world.rank in {root, peer}:
        with pytest.raises(TransportError, match="found staged between two ranks, expected mpi"):
            pair_transport.open_pair(case.transport, made.communicator, 1)


def test_windows_start_both(world: Any, session: Any) -> None:
    root, peer = pair_of(world)
    case = Case(collective="ping_pong", message_bytes=8, root=root, peer=peer)
    made = replace(session(), protocol=replace(session().protocol, synchronisation="window"))
    for measurement in measure_pairs([case], made):
        assert measurement.wrong == 0
