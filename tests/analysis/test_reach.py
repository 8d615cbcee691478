"""Percent of bound: against rates of the same file and a fabric, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collcast.analysis.dataset import Row
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.reach import reach_of, references_of

from .conftest import KEY


def row(collective: str, ranks: int, size: int, time_s: float, **more) -> Row:
    key = {name: more.pop(name) for name in ("transport", "algorithm", "memory") if name in more}
    return Row(
        key=replace(KEY, collective=collective, **key),
        ranks=ranks,
        message_bytes=size,
        repetitions=10,
        launches=1,
        median_s=time_s,
        low_s=time_s,
        high_s=time_s,
        **{"hosts": 1, **more},
    )


SENT = row("send_recv", 2, 10**6, 1e-4)  # 10 GB/s
SLOWER = row("send_recv", 2, 10**3, 1e-6)
COPY = row("copy", 1, 10**6, 2e-5, labels=("copy",))  # 50 GB/s
CACHED = row("copy", 1, 10**4, 1e-7, labels=("copy",))  # 100 GB/s
KNOWN = references_of([SLOWER, SENT, COPY, CACHED])


@pytest.mark.parametrize(
    ("measured", "percent", "bound"),
    [
        # A ring must send 2 (4 - 1)/4 x 1 MB at 10 GB/s: 150 us.
        (row("all_reduce", 4, 10**6, 3e-4), 50, "ring at send_recv"),
        (row("all_reduce", 4, 10**6, 1e-4, algorithm="NCCL_ALGO=NVLS"), 100, "switch at send_recv"),
        (row("all_gather", 4, 10**6, 3e-4), 25, "send_recv"),
        (row("broadcast", 4, 10**6, 4e-4), 25, "send_recv"),
        (row("all_to_allv", 4, 10**6, 4e-4, busiest_bytes=2 * 10**6), 50, "send_recv"),
        (SLOWER, 10, "send_recv"),
        (row("broadcast", 1, 10**6, 4e-5, labels=("copy",)), 50, "copy"),
        (COPY, 100, "copy"),
        # Smaller ones could be as fast as a cache, larger ones only as the largest that is known.
        (row("all_reduce", 1, 10**3, 1e-7, labels=("copy",)), 10, "copy"),
        (row("all_reduce", 1, 10**7, 2e-4, labels=("copy",)), 100, "copy"),
    ],
)
def test_a_figure_is_held_against_the_best_rate_of_its_file(
    measured: Row, percent: float, bound: str
) -> None:
    found = reach_of(measured, KNOWN)
    assert found is not None
    assert found.percent == pytest.approx(percent)
    assert found.bound == bound


def test_an_all_reduce_in_the_network_may_pass_the_ring_s_bound() -> None:
    found = reach_of(row("all_reduce", 64, 10**6, 1.1e-4), KNOWN)
    assert found is not None
    assert found.percent == pytest.approx(100 * 2 * 63 / 64 / 1.1)


@pytest.mark.parametrize(
    "measured",
    [
        row("all_reduce", 4, 10**6, 1e-4, transport="nccl"),
        row("all_reduce", 4, 10**6, 1e-4, memory="device"),
        row("all_reduce", 4, 10**6, 1e-4, labels=("oversubscribed",)),
        row("all_reduce", 4, 10**6, 1e-4, hosts=2),
        row("barrier", 4, 0, 1e-4),
        row("all_to_allv", 4, 10**6, 1e-4),
        row("copy", 4, 10**6, 1e-4, labels=("copy",)),
    ],
)
def test_what_was_measured_elsewhere_bounds_nothing(measured: Row) -> None:
    """Another transport, memory, condition or network; and what has no bytes to speak of."""
    assert reach_of(measured, KNOWN) is None


def test_one_rank_is_not_its_own_bound_and_moves_nothing_in_place() -> None:
    alone = row("all_reduce", 1, 10**6, 2e-5, labels=("copy",))
    assert references_of([alone]) == {}
    assert reach_of(alone, {}) is None
    within = replace(alone, key=replace(alone.key, placement="in_place"))
    assert reach_of(within, KNOWN) is None


def test_figures_that_are_not_trusted_are_no_reference() -> None:
    doubtful = [replace(SENT, suspect="physics"), replace(SENT, wrong=1), replace(SENT, median_s=0)]
    assert references_of(doubtful) == {}


def test_a_fabric_bounds_by_its_links_and_its_name_says_so() -> None:
    fabric = load_fabric("colossus-2")
    rate = fabric.tiers[0].rate
    best = rate.value if rate.high is None else rate.high
    ranks = 4
    reduces = fabric.tiers[0].in_network_reduction.value != "none"
    factor = (ranks - 1) / ranks * (1 if reduces else 2)
    size = 1 << 30
    found = reach_of(row("all_reduce", ranks, size, 10 * factor * size / best), KNOWN, fabric)
    assert found is not None
    assert found.percent == pytest.approx(10)
    assert found.bound == "colossus-2 bandwidth"
    assert reach_of(row("all_to_allv", 4, size, 1.0, busiest_bytes=size), KNOWN, fabric) is None
    alone = reach_of(COPY, KNOWN, fabric)
    assert alone is not None
    assert alone.bound == "copy"
