"""Sweeps: which cases a command line means."""

from __future__ import annotations

import pytest

from collcast.bench.errors import CaseError, UnitError
from collcast.bench.sweep import sweep


def sizes(*arguments: object, **fields: str) -> list[int]:
    return [case.message_bytes for case in sweep(*arguments, **fields)]


def test_ranges_are_rounded_up_to_whole_elements_per_peer_and_made_unique() -> None:
    """Three ranks, float32: multiples of 12; four ranks: 8 and 16 B become one case."""
    assert sizes(("all_to_all",), "8:64", 3) == [12, 24, 36, 72]
    assert sizes(("all_to_all",), "8:64", 4) == [16, 32, 64]
    assert sizes(("all_reduce",), "8:64", 3) == [8, 16, 32, 64]
    assert sizes(("all_reduce",), "1:4", 2, dtype="float64") == [8]


def test_lists_are_taken_at_their_word() -> None:
    assert sizes(("all_to_all",), "12,24", 3) == [12, 24]
    with pytest.raises(
        CaseError, match="found 16 for all_to_all on 3 ranks, expected a multiple of 12"
    ):
        sweep(("all_to_all",), "16", 3)
    with pytest.raises(CaseError, match="multiple of 4"):
        sweep(("all_reduce",), "6", 2)


def test_collectives_come_in_order_and_a_barrier_has_one_case() -> None:
    cases = sweep(("barrier", "all_reduce"), "8,16", 2)
    assert [(case.collective, case.message_bytes) for case in cases] == [
        ("barrier", 0),
        ("all_reduce", 8),
        ("all_reduce", 16),
    ]


def test_mistakes_are_named() -> None:
    with pytest.raises(CaseError, match="found 'allreduce', expected one of all_reduce"):
        sweep(("allreduce",), "8", 2)
    with pytest.raises(CaseError, match="dtype"):
        sweep(("all_reduce",), "8:16", 2, dtype="float7")
    with pytest.raises(UnitError):
        sweep(("all_reduce",), "8:x", 2)
