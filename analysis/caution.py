"""Caution: what makes one wonder about a series before believing its fit, a line each.

    sizes     fewer than 3: a latency and a rate fit any two, and nothing checks them
    scales    3 or 4: a curve, but nothing beyond the largest is supported
    times     rows without a positive time, which are left out
    units     times at one scale 300 times those at the next, or less than 1/300, at most sizes
    systems   launches of the same places 3 times apart, at most places

No collective grows 300-fold from one doubling to the next; a slip between s, ms and us is 1,000.
The slowest job of 5 on Alps was 1.01 to 1.23 times the fastest (median over sizes), rarely 4 times.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .dataset import Dataset, SeriesKey

__all__ = ["cautions_of"]

_LEAST_SIZES = 3
_LEAST_SCALES = 3  # fewer are refused
_SLIP = 300.0
_APART = 3.0


def cautions_of(
    key: SeriesKey, used: Dataset, rows: Dataset, scales_beyond: int
) -> tuple[str, ...]:
    """Return what to tell about a series, each line naming it and what would be needed.

    Parameters
    ----------
    used, rows
        Those that enter a fit, and all.
    scales_beyond
        Numbers of ranks that support a forecast beyond the largest.
    """
    found = (
        _sizes(used),
        _scales(used, scales_beyond),
        _times(rows),
        _units(used),
        _systems(used),
    )
    return tuple(f"{key}: {text}" for text in found if text)


def _sizes(used: Dataset) -> str:
    sizes = sorted({row.message_bytes for row in used})
    if not 0 < len(sizes) < _LEAST_SIZES:
        return ""
    return (
        f"found {len(sizes)} sizes ({', '.join(map(str, sizes))} bytes), expected at least "
        f"{_LEAST_SIZES}: nothing checks latency against rate"
    )


def _scales(used: Dataset, beyond: int) -> str:
    scales = sorted({row.ranks for row in used})
    if not _LEAST_SCALES <= len(scales) < beyond:
        return ""
    return (
        f"found {len(scales)} numbers of ranks, expected at least {beyond} to go beyond "
        f"{scales[-1]}; measure more in between or above"
    )


def _times(rows: Dataset) -> str:
    without = [row for row in rows if not row.median_s > 0]
    if not without:
        return ""
    return f"found {len(without)} rows without a positive time, which are left out"


def _units(used: Dataset) -> str:
    """Compare every scale with the next larger one, over the sizes that both have."""
    by_scale: dict[int, dict[int, float]] = {}
    for row in used:
        by_scale.setdefault(row.ranks, {})[row.message_bytes] = row.median_s
    scales = sorted(by_scale)
    for low, high in pairwise(scales):
        shared = by_scale[low].keys() & by_scale[high].keys()
        if not shared:
            continue
        ratio = float(np.median([by_scale[high][n] / by_scale[low][n] for n in shared]))
        per_doubling = ratio / (high / low)
        if ratio < 1 / _SLIP or per_doubling > _SLIP:
            return (
                f"found times at {high} ranks {ratio:.3g} times those at {low}, expected one unit "
                "of time: s, ms and us mixed?"
            )
    return ""


def _systems(used: Dataset) -> str:
    spreads = [sd for row in used if (sd := row.launch_sd) == sd]
    if not spreads:
        return ""
    apart = math.exp(math.sqrt(2) * float(np.median(spreads)))  # the ratio of two launches
    if apart < _APART:
        return ""
    return (
        f"found launches of the same places x{apart:.1f} apart, expected one system and setting "
        "per series; import each with its own --system"
    )
