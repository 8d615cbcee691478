"""The common clock's error is told where it matters, and only for statistics that mix hosts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collcast.analysis.dataset import dataset_of
from collcast.bench.case import Case
from collcast.bench.environment import Environment
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample


def campaign(error_ns: float) -> Campaign:
    """Twenty operations of 10 us on two ranks."""
    start = np.arange(20).reshape(-1, 1) * 50_000 + np.zeros((1, 2), np.int64)
    sample = Sample(start_ns=start, stop_ns=start + 10_000)
    empty = Sample(start_ns=start[:0], stop_ns=start[:0])
    launch = Launch(
        number=0,
        protocol=Protocol(synchronisation="window"),
        environment=Environment(ranks=2),
    )
    case = Case(collective="all_reduce", message_bytes=8)
    measured = Measurement(
        case=case, sample=sample, warmup=empty, launch=0, wrong=0, clock_error_ns=error_ns
    )
    return Campaign(launches=(launch,), measurements=(measured,))


@pytest.mark.parametrize(
    ("statistic", "error_ns", "matters"),
    [
        (None, 1_001, True),
        (None, 999, False),
        ("after_last_arrival", 1_001, True),
        ("local_max", 9_000, False),
    ],
)
def test_a_tenth_of_the_time_is_the_limit(statistic: Any, error_ns: float, matters: bool) -> None:
    (row,) = dataset_of(campaign(error_ns), statistic)
    assert row.median_s == pytest.approx(10e-6)
    assert row.clock_matters == matters
