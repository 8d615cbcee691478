"""A parameter that the cells cannot tell apart is named with what would: measured, it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.dataset import Dataset
from collcast.analysis.design import design_of, identify
from collcast.analysis.fit import fit
from collcast.analysis.models import model_named
from collcast.analysis.remedy import remedies_of

VALUES = (3e-6, 2e-6, 1e-10, 5e-11)
SIZES = (8, 1 << 10, 1 << 20, 1 << 26)


def remedies(key, rows):
    return {found.parameter: found.measure for found in remedies_of(fit(key, rows, bootstraps=0))}


def test_between_powers_of_two_reduction_shows_beside_the_rate(rows_of):
    """On powers of two alone, recursive doubling sends and reduces the same multiple of n."""
    fields = {"sizes": SIZES, "values": VALUES, "noise": 0.0}
    found = remedies(*rows_of("recursive_doubling", scales=(2, 4, 8, 16), **fields))
    assert found == {"gamma": "3, 6, 12 ranks, between powers of two"}
    key, rows = rows_of("recursive_doubling", scales=(2, 3, 4, 6, 8, 12, 16), **fields)
    assert "gamma" not in remedies(key, rows)  # done as told, it is identified
    assert "gamma" not in fit(key, rows, bootstraps=0).curve.unidentified


def test_a_library_is_told_an_algorithm_that_it_has(rows_of):
    """A ring sends twice what it reduces on any number of ranks; two trees on two do not."""
    key, rows = rows_of("ring", sizes=SIZES, values=VALUES, noise=0.0)
    key = replace(key, transport="nccl")
    rows = Dataset(tuple(replace(row, key=key) for row in rows))
    assert remedies(key, rows) == {"gamma": "the same with NCCL_ALGO=Tree, 8 B to 64 MiB"}
    ranks, sizes = rows.column("ranks"), rows.column("message_bytes")
    both = np.concatenate(
        [design_of([model_named("all_reduce", name)], ranks, sizes, (1 << 62,))
         for name in ("ring", "double_tree")],
        axis=1,
    )  # fmt: skip
    assert identify(both, (both @ np.array(VALUES))[0], 1).unidentified == ()


def test_where_one_algorithm_is_all_there_is_a_message_helps(rows_of):
    fields = {"sizes": SIZES, "values": VALUES, "noise": 0.0}
    key, rows = rows_of("reduce_broadcast", scales=(2, 4, 8, 16), **fields)
    key = replace(key, algorithm="binomial", transport="nccl", collective="all_reduce")
    rows = Dataset(tuple(replace(row, key=key) for row in rows))
    assert remedies(key, rows)["gamma"].startswith("the same with NCCL_ALGO=")


def test_our_own_transport_is_told_an_algorithm(rows_of):
    found = remedies(*rows_of("ring", sizes=SIZES, values=VALUES, noise=0.0))
    assert found == {"gamma": "the same with --algorithm recursive_doubling, 8 B to 64 MiB"}


@pytest.mark.parametrize(
    ("sizes", "parameter", "measure"),
    [
        ((1 << 30, 1 << 31, 1 << 32), "overhead", "sizes of at most 1KiB"),
        ((8, 16, 32), "beta", "sizes of at least 1MiB"),
    ],
)
def test_what_left_no_trace_names_the_sizes_that_are_missing(rows_of, sizes, parameter, measure):
    found = remedies(*rows_of("pairwise", sizes=sizes, noise=0.0))
    assert found[parameter] == measure


def test_without_a_curve_there_is_none(rows_of):
    assert remedies(*rows_of("ring", scales=(2, 4))) == {}
