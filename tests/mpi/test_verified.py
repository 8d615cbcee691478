"""Verification between the timed operations on the stub's device: every way of timing, no fault."""

from __future__ import annotations

from typing import Any

import pytest

from collcast.bench.case import Case
from collcast.bench.measure import measure


@pytest.mark.parametrize(
    ("transport", "metric"), [("nccl", "host"), ("nccl", "device"), ("staged", "host")]
)
@pytest.mark.parametrize(
    "fields",
    [
        {"collective": "all_reduce", "placement": "in_place"},
        {"collective": "all_to_allv", "counts": "zipf:1.2:5", "dtype": "float8_e4m3"},
    ],
    ids=["all_reduce", "all_to_allv"],
)
def test_operations_between_the_timed_ones_are_verified_on_a_device(
    world: Any, stub_session: Any, transport: str, metric: str, fields: dict[str, str]
) -> None:
    """Their results are read when they are done, and they stay out of the samples."""
    session = stub_session(transport, repetitions=8, metric=metric, verify_share=0.5)
    case = Case(message_bytes=64 * world.size, transport=transport, memory="device", **fields)
    measurement = measure(case, session)
    if world.rank == 0:
        assert measurement.wrong == 0
        assert measurement.sample.repetitions == 8
        assert measurement.verified.repetitions == 4
