"""Ranks that are late on purpose arrive as late as was asked for, however samples start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collcast.bench.case import Case
from collcast.bench.measure import measure
from collcast.bench.skew import parse_skew

SMALL = Case(collective="all_reduce", message_bytes=64)


@pytest.mark.parametrize("synchronisation", ["barrier", "window", "none"])
def test_a_rank_arrives_late_by_what_was_asked_for(
    world: Any, session: Any, synchronisation: str
) -> None:
    """The start stamp is the arrival; 30 ms are long even where cores are shared with others."""
    late = world.size - 1
    skew = f"one-late:rank={late},30ms"
    made = session(synchronisation=synchronisation, repetitions=9, warmup=1, skew=skew)
    measurement = measure(SMALL, made)
    if world.rank != 0 or world.size == 1:
        return
    assert measurement.wrong == 0
    start_ns = measurement.sample.start_ns
    lag_ns = np.median(start_ns[:, late] - np.delete(start_ns, late, axis=1).min(axis=1))
    assert 20e6 < lag_ns < 90e6
    waited_s = np.median(np.delete(measurement.sample.local_s(), late, axis=1).max(axis=1))
    assert waited_s > 20e-3


def test_drawn_delays_are_those_of_the_seed(world: Any, session: Any) -> None:
    """Between a stop and the next start of a rank lies at least what was drawn for it."""
    made = session(repetitions=40, warmup=3, seed=7, skew="uniform:5ms")
    measurement = measure(SMALL, made)
    if world.rank != 0:
        return
    skew, sample = parse_skew("uniform:5ms"), measurement.sample
    for rank in range(world.size):
        drawn = skew.draw_ns(rank, world.size, 43, np.random.default_rng((7, rank)))[3:]
        gap_ns = sample.start_ns[1:, rank] - sample.stop_ns[:-1, rank]
        assert np.all(gap_ns >= drawn[1:])
