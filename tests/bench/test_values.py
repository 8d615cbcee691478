"""Case, Protocol, Sample, Campaign: what may be born, and what is derived."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collcast.bench.case import Case
from collcast.bench.environment import Environment, Location
from collcast.bench.errors import CaseError
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"collective": "all_reduced"}, "collective: found 'all_reduced'"),
        ({"message_bytes": 0}, "found 0"),
        ({"message_bytes": -8}, "found -8"),
        ({"message_bytes": 6}, "multiple of 4"),
        ({"dtype": "float128"}, "dtype"),
        ({"transport": "tcp"}, "transport"),
        ({"placement": "inplace"}, "placement"),
        ({"memory": "gpu"}, "memory"),
        ({"operation": "xor"}, "operation"),
        ({"root": -1}, "root"),
        ({"collective": "barrier"}, "barrier, expected 0"),
        ({"peer": 1}, "found 1 in all_reduce, expected -1"),
        ({"collective": "ping_pong"}, "found -1 in ping_pong, expected another rank than root 0"),
        ({"collective": "ping_pong", "root": 3, "peer": 3}, "another rank than root 3"),
        ({"collective": "ping_pong", "peer": 1, "placement": "in_place"}, "found in_place"),
    ],
)
def test_impossible_cases_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(CaseError, match=message):
        Case(**{"collective": "all_reduce", "message_bytes": 8, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": "speed"}, "mode"),
        ({"synchronisation": "luck"}, "synchronisation"),
        ({"repetitions": 0}, "repetitions: found 0"),
        ({"warmup": -1}, "warmup"),
        ({"batch": 2}, "latency mode"),
        ({"mode": "throughput", "batch": 0}, "batch"),
    ],
)
def test_impossible_protocols_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(CaseError, match=message):
        Protocol(**fields)


def test_the_three_statistics_differ_as_defined() -> None:
    """Two repetitions on two ranks, by hand."""
    sample = Sample(
        start_ns=np.array([[0, 100], [1000, 1000]]),
        stop_ns=np.array([[130, 180], [1050, 1020]]),
    )
    assert sample.seconds("local_max") == pytest.approx([130e-9, 50e-9])
    assert sample.seconds("makespan") == pytest.approx([180e-9, 50e-9])
    assert sample.seconds("after_last_arrival") == pytest.approx([80e-9, 50e-9])
    with pytest.raises(CaseError, match="statistic: found 'mean'"):
        sample.seconds("mean")


def test_a_batch_counts_for_each_of_its_operations() -> None:
    sample = Sample(start_ns=np.array([[0]]), stop_ns=np.array([[400]]), batch=4)
    assert sample.seconds("local_max") == pytest.approx([100e-9])
    assert sample.seconds("makespan") == pytest.approx([100e-9])


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (np.zeros(3, np.int64), np.zeros(3, np.int64)),
        (np.zeros((3, 2)), np.zeros((3, 2))),
        (np.zeros((3, 2), np.int64), np.zeros((2, 2), np.int64)),
    ],
)
def test_stamps_of_another_shape_are_refused(start: Any, stop: Any) -> None:
    with pytest.raises(CaseError, match="sample"):
        Sample(start_ns=start, stop_ns=stop)


def test_a_campaign_finds_the_launch_of_a_measurement() -> None:
    empty = Sample(start_ns=np.zeros((0, 2), np.int64), stop_ns=np.zeros((0, 2), np.int64))
    case = Case(collective="all_reduce", message_bytes=8)
    launches = tuple(
        Launch(number=number, protocol=Protocol(), environment=Environment(ranks=2))
        for number in (0, 3)
    )
    campaign = Campaign(launches=launches, measurements=())
    measured = Measurement(case=case, sample=empty, warmup=empty, launch=3, wrong=0)
    assert campaign.launch_of(measured) is launches[1]
    lost = Measurement(case=case, sample=empty, warmup=empty, launch=1, wrong=0)
    with pytest.raises(CaseError, match="launch: found 1, expected one of 0, 3"):
        campaign.launch_of(lost)


def test_hosts_are_counted_once() -> None:
    assert Environment(location=Location(host=("a", "b", "a"))).hosts == 2
