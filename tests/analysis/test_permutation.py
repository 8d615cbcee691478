"""Adjusted p-values of a permutation test, against counting by hand and against their own level."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from collcast.analysis import permutation
from collcast.analysis.compare import LEVEL
from collcast.analysis.permutation import least_p, permutation_p


def nothing(cases=1):
    return np.empty((0, cases))


def test_the_classical_test_of_two_means():
    first, second = np.array([1.0, 4.0, 2.0]), np.array([7.0, 3.0, 9.0, 8.0])
    pooled = np.concatenate([first, second])
    distances = []
    for some in itertools.combinations(range(7), 3):
        rest = [at for at in range(7) if at not in some]
        distances.append(abs(pooled[list(some)].mean() - pooled[rest].mean()))
    share = np.mean(np.array(distances) >= abs(first.mean() - second.mean()) - 1e-12)
    (found,) = permutation_p(first[:, None], second[:, None], nothing())
    assert found == pytest.approx(share)
    assert found < 0.2


def test_one_among_many_is_its_rank():
    many = np.arange(19.0)[:, None]
    assert permutation_p(many, np.array([[40.0]]), nothing())[0] == pytest.approx(1 / 20)
    assert permutation_p(many, np.array([[9.5]]), nothing())[0] > 0.9


def test_two_beside_known_ones_are_a_pair_among_pairs():
    known = np.zeros((8, 1)) + np.arange(8)[:, None] * 0.01
    far = permutation_p(np.array([[-9.0]]), np.array([[9.0]]), known)[0]
    assert far == pytest.approx(1 / 45) == pytest.approx(least_p(1, 1, 8))
    one_outlier = permutation_p(np.array([[0.03]]), np.array([[9.0]]), known)[0]
    assert one_outlier >= 2 / 10 - 1e-9 - 4 / 45  # about as far from most others
    assert np.isnan(permutation_p(np.array([[0.0]]), np.array([[9.0]]), nothing())[0])


@pytest.mark.parametrize("sizes", [(3, 3, 0), (4, 2, 0), (1, 9, 0), (1, 1, 5), (2, 3, 4)])
def test_the_least_p_is_that_of_the_furthest_division(sizes):
    generator = np.random.default_rng(0)
    parts = [
        generator.normal(far, 1e-3, (size, 2)) for far, size in zip((0, 9, 4), sizes, strict=True)
    ]
    assert permutation_p(*parts) == pytest.approx(least_p(*sizes))


@pytest.mark.parametrize("draw", ["standard_cauchy", "standard_normal"])
@pytest.mark.parametrize("sizes", [(4, 4, 0), (2, 5, 3)])
def test_any_of_many_dependent_cases_is_below_the_level_as_often_as_it_may(draw, sizes):
    generator = np.random.default_rng(3)
    below = 0
    for _ in range(150):
        common = getattr(generator, draw)((sum(sizes), 1))
        own = getattr(generator, draw)((sum(sizes), 5))
        first, second, known = np.split(common + 0.3 * own, np.cumsum(sizes)[:2])
        below += (permutation_p(first, second, known) <= LEVEL).any()
    assert below / 150 < 0.072  # 0.03, and three standard deviations


def test_drawn_divisions_agree_with_all(monkeypatch):
    generator = np.random.default_rng(2)
    first, second = generator.normal(0, 1, (6, 3)), generator.normal(1, 1, (6, 3))
    exact = permutation_p(first, second, nothing(3))
    monkeypatch.setattr(permutation, "_MOST_DIVISIONS", 500)
    drawn = permutation_p(first, second, nothing(3))
    assert drawn == pytest.approx(exact, abs=0.06)
    assert list(permutation_p(first, second, nothing(3))) == list(drawn)  # the same every time


def test_equal_launches_are_no_division_by_zero():
    assert permutation_p(np.full((4, 2), 0.1), np.full((4, 2), 0.1), nothing(2)).tolist() == [1, 1]
    assert permutation_p(np.zeros((4, 1)), np.zeros((4, 1)), nothing())[0] == 1
    apart = permutation_p(np.full((4, 1), -11.5), np.full((4, 1), -11.0), nothing())[0]
    assert apart == pytest.approx(2 / 70)
