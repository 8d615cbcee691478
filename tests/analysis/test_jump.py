"""A protocol that changes between two sizes is named; a smooth misfit is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collcast.analysis.dataset import Dataset
from collcast.analysis.fit import fit
from collcast.analysis.jump import jumps_of

SIZES = tuple(1 << k for k in range(3, 25, 2))
SCALES = (2, 4, 8, 16, 32, 64)


def jumps(rows_of, change, names=("ring",), **fields):
    key, rows = rows_of(*names, sizes=SIZES, scales=SCALES, **({"noise": 0.03} | fields))
    changed = Dataset(tuple(replace(row, median_s=row.median_s * change(row)) for row in rows))
    return jumps_of(fit(key, changed, bootstraps=0))


@pytest.mark.parametrize("ratio", [2.0, 0.5])
def test_a_protocol_s_jump_is_found_where_it_is(rows_of, ratio):
    (found,) = jumps(rows_of, lambda row: ratio if row.message_bytes > 1 << 15 else 1.0)
    assert (found.below_bytes, found.above_bytes) == (1 << 15, 1 << 17)
    assert found.ratio == pytest.approx(ratio, rel=0.25)
    assert found.scales >= 5
    assert found.of == 6


def test_an_all_to_all_jumps_by_what_one_peer_gets(rows_of):
    """Sizes for one peer are those of every other scale: two pairs of neighbours hold the jump."""
    found = jumps(
        rows_of, lambda row: 2.0 if row.message_bytes / row.ranks > 3000 else 1.0, ("pairwise",)
    )
    assert len(found) == 2
    assert all(jump.below_bytes <= 3000 <= jump.above_bytes for jump in found)


def test_a_sound_series_has_none(rows_of):
    assert jumps(rows_of, lambda _: 1.0) == ()
    assert jumps(rows_of, lambda _: 1.0, noise=0.1) == ()


def test_a_smooth_misfit_is_none(rows_of):
    """A rate that falls with size, 5 % per doubling: no protocol."""
    assert jumps(rows_of, lambda row: (row.message_bytes / 8) ** 0.07) == ()


def test_one_slow_scale_is_none(rows_of):
    slow = jumps(
        rows_of, lambda row: 2.0 if (row.ranks, row.message_bytes > 1 << 15) == (16, True) else 1.0
    )
    assert slow == ()


def test_without_a_curve_there_is_none(rows_of):
    assert jumps_of(fit(*rows_of("ring", scales=(2, 4)), bootstraps=0)) == ()
