"""Verification between the timed operations: by every way of timing, no fault and no hang."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from collcast.bench.board import Board
from collcast.bench.case import Case
from collcast.bench.checker import Checker
from collcast.bench.measure import measure

if TYPE_CHECKING:
    from pathlib import Path


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


def test_buffers_are_looked_at_between_operations(
    world: Any, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the watchdog waits longer: filling and comparing large buffers is no hang."""
    states = []
    board = Board(tmp_path, world.rank)
    for name in ("prepare", "check"):
        real = getattr(Checker, name)

        def looking(self: Checker, real: Any = real) -> None:
            states.append(board.snapshot()[2])
            real(self)

        monkeypatch.setattr(Checker, name, looking)
    case = Case(collective="all_reduce", message_bytes=64)
    measure(case, replace(session(verify_share=1.0), board=board))
    assert states == [0] * 15  # the first operation, five between, the last one
