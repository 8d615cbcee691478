"""Verdicts on launches whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collcast.analysis.compare import Place, compare, launches_of
from collcast.bench.sample import Campaign

ALARMS = {"FASTER", "SLOWER"}


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


@pytest.mark.parametrize("launches", [4, 5, 10])
def test_the_same_is_seldom_different(side, launches):
    generator = np.random.default_rng(launches)
    pairs = [
        verdicts(side(generator, launches, cases=4), side(generator, launches, cases=4))
        for _ in range(80)
    ]
    wrong = sum(not ALARMS.isdisjoint(pair) for pair in pairs)
    assert wrong <= 6  # 3 %, and three standard deviations, of whole comparisons, not of cases


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
    history = side(generator, 70)
    assert verdicts(side(generator, 1), side(generator, 1, factor=1.5), known=[history]) == [
        "SLOWER"
    ]
    assert verdicts(history, side(generator, 1, factor=0.6)) == ["FASTER"]
    same = [verdicts(side(generator, 1), side(generator, 1), known=[history])[0] for _ in range(80)]
    assert same.count("SLOWER") + same.count("FASTER") <= 6


@pytest.mark.parametrize("known", [10, 40])
def test_disturbed_launches_raise_no_alarm(side, known):
    """One launch in seven is slowed by a neighbour: a few known ones may well miss that."""
    generator = np.random.default_rng(known)

    def disturbed(launches):
        return {
            place: [one * (1.6 if generator.random() < 1 / 7 else 1.0) for one in samples]
            for place, samples in side(generator, launches).items()
        }

    of_pairs = of_one = 0
    for _ in range(100):
        history = disturbed(known)
        of_pairs += verdicts(disturbed(1), disturbed(1), known=[history])[0] in ALARMS
        of_one += verdicts(history, disturbed(1))[0] in ALARMS
    assert max(of_pairs, of_one) <= 8  # 3 %, and three standard deviations


def test_two_modes_raise_no_alarm(side):
    """Launches that fall into one of two narrow modes: two a side are often one mode each."""
    generator = np.random.default_rng(0)

    def of_two_modes(launches):
        return {
            place: [one * generator.choice([1.0, 2.0]) for one in samples]
            for place, samples in side(generator, launches, cases=3, spread=0.005).items()
        }

    for launches in (2, 3, 5):
        pairs = [verdicts(of_two_modes(launches), of_two_modes(launches)) for _ in range(100)]
        wrong = sum(not ALARMS.isdisjoint(pair) for pair in pairs)
        assert wrong <= 8


@pytest.mark.parametrize(
    ("sides", "known", "least", "verdict"),
    [
        ((3, 3), 0, 2 / 20, "AMBIGUOUS"),
        ((4, 4), 0, 2 / 70, "SLOWER"),
        ((1, 32), 0, 1 / 33, "AMBIGUOUS"),
        ((1, 33), 0, 1 / 34, "SLOWER"),
        ((1, 1), 0, 1.0, "AMBIGUOUS"),
    ],
)
def test_what_few_launches_can_say_is_limited(side, sides, known, least, verdict):
    generator = np.random.default_rng(0)
    first, second = (
        side(generator, size, cases=3, factor=factor)
        for size, factor in zip(sides, (1.0, 3.0), strict=True)
    )
    for found in compare(first, second):
        assert found.least_p == pytest.approx(least)
        assert found.verdict == verdict  # of every case: all are tested together


@pytest.mark.parametrize("drift", [0.0, 0.1])
def test_halves_of_one_launch_are_not_two_results(side, drift):
    generator = np.random.default_rng(0)
    history = side(generator, 40)
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
    assert found.p < 0.03
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
