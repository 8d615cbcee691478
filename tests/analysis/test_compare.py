"""Verdicts on launches whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collcast.analysis.compare import LEAST_KNOWN, Place, compare, launches_of
from collcast.bench.sample import Campaign


@pytest.fixture
def side(key):
    """Launches of `cases` places: spread between launches, correlated iterations, a drift."""

    def make(generator, launches, *, cases=1, factor=1.0, spread=0.02, drift=0.0, noise=0.05):
        found = {}
        for case in range(cases):
            found[Place(key, 2, 8 << case, ())] = [
                1e-5 * factor * np.exp(spread * generator.standard_normal()) * one
                for one in _iterations(generator, launches, drift, noise)
            ]
        return found

    return make


def _iterations(generator, launches, drift, size):
    """AR(1) with rho 0.9, shape (launch, 200); the time rises by `drift` over a launch."""
    noise = generator.standard_normal((launches, 300))
    series = np.zeros_like(noise)
    for at in range(1, 300):
        series[:, at] = 0.9 * series[:, at - 1] + math.sqrt(1 - 0.81) * noise[:, at]
    return np.exp(size * series[:, 100:] + drift * np.linspace(0, 1, 200))


def verdicts(*arguments, **options):
    return [found.verdict for found in compare(*arguments, **options)]


@pytest.mark.parametrize("launches", [2, 5, 10])
def test_the_same_is_seldom_different(side, launches):
    generator = np.random.default_rng(launches)
    pairs = [
        verdicts(side(generator, launches, cases=4), side(generator, launches, cases=4))
        for _ in range(200)
    ]
    wrong = sum(not {"FASTER", "SLOWER"}.isdisjoint(pair) for pair in pairs)
    assert wrong <= 10  # 5 % of whole comparisons, not of cases: Holm


def test_a_slow_down_of_5_percent_is_found_with_10_launches(side):
    generator = np.random.default_rng(0)
    found = [verdicts(side(generator, 10), side(generator, 10, factor=1.05))[0] for _ in range(100)]
    assert found.count("SLOWER") >= 90
    assert "FASTER" not in found


def test_no_spread_between_launches_is_the_same(side):
    generator = np.random.default_rng(0)
    calm = [side(generator, 10, spread=0.002, noise=0.005) for _ in range(2)]
    assert verdicts(*calm) == ["SAME"]


def test_one_launch_a_side_is_ambiguous_however_large_the_effect(side):
    generator = np.random.default_rng(0)
    pair = side(generator, 1), side(generator, 1, factor=3)
    (found,) = compare(*pair)
    assert (found.verdict, math.isnan(found.p), math.isnan(found.low)) == ("AMBIGUOUS", True, True)
    assert found.ratio == pytest.approx(3, rel=0.2)


def test_one_launch_against_a_known_spread(side):
    generator = np.random.default_rng(0)
    history = side(generator, LEAST_KNOWN)
    assert verdicts(side(generator, 1), side(generator, 1, factor=1.5), known=[history]) == [
        "SLOWER"
    ]
    assert verdicts(history, side(generator, 1, factor=0.6)) == ["FASTER"]
    same = [
        verdicts(side(generator, 1), side(generator, 1), known=[history])[0] for _ in range(200)
    ]
    assert same.count("SLOWER") + same.count("FASTER") <= 10


@pytest.mark.parametrize("known", [10, LEAST_KNOWN])
def test_disturbed_launches_raise_no_alarm(side, known):
    """One launch in seven is slowed by a neighbour: a few known ones may well miss that."""
    generator = np.random.default_rng(known)

    def disturbed(launches):
        return {
            place: [one * (1.6 if generator.random() < 1 / 7 else 1.0) for one in samples]
            for place, samples in side(generator, launches).items()
        }

    pairs = [
        verdicts(disturbed(1), disturbed(1), known=[disturbed(known)])
        + verdicts(disturbed(known), disturbed(1))
        for _ in range(200)
    ]
    wrong = sum(not {"FASTER", "SLOWER"}.isdisjoint(pair) for pair in pairs)
    assert wrong <= 10


def test_too_few_known_launches_judge_no_single_one(side):
    generator = np.random.default_rng(0)
    history = side(generator, LEAST_KNOWN - 1)
    (found,) = compare(history, side(generator, 1, factor=3))
    assert (found.verdict, found.judged) == ("AMBIGUOUS", False)
    (found,) = compare(side(generator, LEAST_KNOWN), side(generator, 1, factor=3))
    assert (found.verdict, found.judged) == ("SLOWER", True)
    two = side(generator, LEAST_KNOWN, cases=2), side(generator, 1, cases=2, factor=3)
    assert verdicts(*two) == ["AMBIGUOUS"] * 2  # 5 % for each would be 10 % for both


@pytest.mark.parametrize("drift", [0.0, 0.1])
def test_halves_of_one_launch_are_not_two_results(side, drift):
    generator = np.random.default_rng(0)
    history = side(generator, LEAST_KNOWN)
    wrong = 0
    for _ in range(100):
        ((place, (samples,)),) = side(generator, 1, drift=drift).items()
        halves = {place: [samples[:100]]}, {place: [samples[100:]]}
        assert verdicts(*halves) == ["AMBIGUOUS"]
        wrong += verdicts(*halves, known=[history])[0] in {"FASTER", "SLOWER"}
    if not drift:  # with a baseline that tells the spread, a drift of 10 % is a difference
        assert wrong <= 5


def test_small_effects_are_not_reported(side):
    generator = np.random.default_rng(0)
    calm = {"spread": 0.001, "noise": 0.005}
    pair = side(generator, 10, **calm), side(generator, 10, factor=1.02, **calm)
    (found,) = compare(*pair)
    assert found.p < 0.05
    assert found.verdict == "SAME"
    assert verdicts(*pair, least_effect=0.005) == ["SLOWER"]


def test_what_is_wrong_or_suspect_is_not_compared(launch_of, measurement_of):
    launch = launch_of(0, 2)
    measurements = (
        measurement_of(launch, [1e-6] * 5, wrong=1),
        measurement_of(launch, [1e-6] * 5, message_bytes=2048, suspect="physics"),
        measurement_of(launch, [1e-9] * 5, message_bytes=1 << 30),
        measurement_of(launch, [1e-6] * 5, message_bytes=4096),
    )
    found = launches_of(Campaign(launches=(launch,), measurements=measurements))
    assert [place.message_bytes for place in found] == [4096]


def test_launches_of_a_campaign_stay_apart(launch_of, measurement_of):
    launches = tuple(launch_of(number, 2) for number in range(3))
    measurements = tuple(measurement_of(launch, [1e-6] * 5) for launch in launches)
    (found,) = launches_of(Campaign(launches=launches, measurements=measurements)).values()
    assert [len(samples) for samples in found] == [5, 5, 5]
