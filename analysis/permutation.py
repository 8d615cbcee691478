"""A permutation test of two groups of launches, over all cases at once.

Launches are exchangeable if nothing changed: which of them stand on which side is then as good as
drawn. With sides A and B of a and b launches, n known ones beside them (a baseline's, say), and y
the logarithm of a launch's median of one case::

    s^2 = (SS_A + SS_B + SS_known) / ((a - 1) + (b - 1) + (n - 1))     sums of squares about means
    t   = |mean_A(y) - mean_B(y)| / (s sqrt(1/a + 1/b))
    p   = share of all divisions into a, b and n whose largest t of any case is at least t

The largest t over the cases bounds the chance of any false alarm in a whole comparison, however the
cases of one launch depend on each other (Westfall and Young's single-step maxT), and no form of
distribution is assumed: launches have outliers and several modes. What few launches can say is
limited: p is at least 2 / C(2a, a) with a on each side (3 a side: 10 %, 4: 2.9 %, 5: 0.8 %), and
1 / (b + 1) for one against b (33: 2.9 %).

Source: Westfall and Young, "Resampling-based multiple testing", Wiley 1993, chapter 2.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["least_p", "permutation_p"]

_MOST_DIVISIONS = 5_000  # more are drawn at random: p = 0.03 is then known to 0.0024
_NEARLY = 1 - 1e-9  # divisions that are the same but for the order of summation count as reached


def permutation_p(
    first: NDArray[np.float64], second: NDArray[np.float64], known: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the adjusted p-value of every case, shape (case,); NaN where nothing tells a spread.

    Parameters
    ----------
    first, second, known
        Logarithms of medians, shape (launch, case); the same cases. `known` may have no launch.
    """
    sizes = len(first), len(second), len(known)
    pooled = np.concatenate([first, second, known])
    if _freedom(sizes) < 1:
        return np.full(pooled.shape[1], math.nan)
    places, exact = _divisions(sizes)
    reached = np.zeros(pooled.shape[1])
    observed = _statistic(pooled, np.arange(sum(sizes))[None], sizes)[0]
    for block in np.array_split(places, max(1, len(places) * pooled.size >> 22)):
        largest = _statistic(pooled, block, sizes).max(axis=1)
        reached += (largest[:, None] >= observed * _NEARLY).sum(axis=0)
    return np.asarray(reached / len(places) if exact else (1 + reached) / (1 + len(places)))


def least_p(launches_a: int, launches_b: int, known: int) -> float:
    """Return the smallest p-value that so many launches can give; 1 where they tell no spread."""
    sizes = launches_a, launches_b, known
    if _freedom(sizes) < 1:
        return 1.0
    both = 2 if launches_a == launches_b and not known else 1
    return max(both / _count(sizes), 1 / (1 + _MOST_DIVISIONS))


def _freedom(sizes: tuple[int, int, int]) -> int:
    return sum(max(size - 1, 0) for size in sizes)


def _count(sizes: tuple[int, int, int]) -> int:
    """Number of divisions; exchanging sides of equal size changes nothing where others are known.

    >>> _count((5, 5, 0)), _count((1, 19, 0)), _count((1, 1, 10))
    (252, 20, 66)
    """
    a, b, n = sizes
    ordered = math.comb(a + b + n, a) * math.comb(b + n, b)
    return ordered // 2 if a == b and n else ordered


def _divisions(sizes: tuple[int, int, int]) -> tuple[NDArray[np.int64], bool]:
    """Return divisions as orders of all launches, shape (division, launch); whether these are all.

    The first a of an order are A, the next b are B.
    """
    a, b, _ = sizes
    total = sum(sizes)
    if _count(sizes) > _MOST_DIVISIONS:
        generator = np.random.default_rng(0)
        return generator.permuted(np.tile(np.arange(total), (_MOST_DIVISIONS, 1)), axis=1), False
    orders: list[list[int]] = []
    for one in itertools.combinations(range(total), a):
        rest = [at for at in range(total) if at not in one]
        orders += [
            [*one, *other, *(at for at in rest if at not in other)]
            for other in itertools.combinations(rest, b)
        ]
    return np.array(orders), True


def _statistic(
    pooled: NDArray[np.float64], places: NDArray[np.int64], sizes: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Return t, shape (division, case)."""
    means, squares, first = [], np.zeros((len(places), pooled.shape[1])), 0
    for size in sizes:
        group = pooled[places[:, first : first + size]]  # (division, launch of the group, case)
        if size:
            means.append(group.mean(axis=1))
            squares += ((group - means[-1][:, None]) ** 2).sum(axis=1)
        first += size
    error = np.sqrt(squares / _freedom(sizes) * (1 / sizes[0] + 1 / sizes[1]))
    distance = np.abs(means[0] - means[1])
    scale = np.abs(pooled).max(axis=0) * 1e-12 + 1e-300  # launches that are equal but for rounding
    return np.asarray(distance / np.maximum(error, scale))
