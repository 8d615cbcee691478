"""The ceiling against bytes counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.fabrics import load_fabric
from collcast.analysis.physics import (
    CEILING_BYTES_PER_S,
    ceiling_of,
    judge,
    least_bytes,
    suspicion,
)


@pytest.mark.parametrize(
    ("collective", "ranks", "expected"),
    [
        ("all_reduce", 4, 1000),
        ("all_to_all", 4, 750),
        ("all_gather", 2, 500),
        ("broadcast", 8, 1000),
        ("all_reduce", 1, 0),
        ("all_to_all", 1, 0),
        ("barrier", 4, 0),
    ],
)
def test_bytes_that_a_rank_must_move(collective, ranks, expected):
    found = least_bytes(collective, np.array([ranks]), np.array([1000]))
    assert found == [expected]


def test_the_ceiling_is_sharp():
    time_s = 1e9 / CEILING_BYTES_PER_S
    assert suspicion("all_reduce", 2, 10**9, time_s * 1.001) == ""
    assert suspicion("all_reduce", 2, 10**9, time_s * 0.999) == "physics"
    assert suspicion("all_reduce", 1, 10**9, 1e-9) == ""
    assert suspicion("all_reduce", 2, 8, 0.0) == "physics"


def test_a_fabric_sets_another_ceiling():
    assert ceiling_of(load_fabric("colossus-2")) < 2 * CEILING_BYTES_PER_S


def test_judging_keeps_cells_and_earlier_marks(make_table):
    table = make_table([(1 << 30, 1e-9, ""), (8, 1e-6, ""), (0, 1e-6, ""), (8, 1e-6, "validation")])
    assert list(judge(table).suspect) == ["physics", "", "empty", "validation"]
    assert list(judge(judge(table)).suspect) == ["physics", "", "empty", "validation"]
    assert list(judge(table, 1e3).suspect) == ["physics", "physics", "empty", "validation"]


def test_measured_cells_are_held_against_it_too(launch_of, measurement_of):
    from collcast.analysis.dataset import dataset_of
    from collcast.bench.sample import Campaign

    launch = launch_of(0, 2)
    fast = measurement_of(launch, [1e-9] * 9, message_bytes=1 << 30)
    (row,) = dataset_of(Campaign(launches=(launch,), measurements=(fast,)))
    assert (row.suspect, row.fit_for_fitting) == ("physics", False)
