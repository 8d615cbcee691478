"""Loaded over quiet: which samples belong together, and the factors with their intervals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collcast.analysis.compare import launches_of
from collcast.analysis.dataset import dataset_of
from collcast.analysis.impact import impacts
from collcast.bench.case import Case
from collcast.bench.environment import Environment, Location
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample

HOSTS = ("a", "a", "b", "b", "c", "c", "d", "d")


def measurement(
    load: str, times_us: Any, launch: int = 0, group: int = 0, rate: float = 0.0
) -> Measurement:
    stop = np.cumsum(np.full(len(times_us), 10**9)).reshape(-1, 1) + np.zeros((1, 2), np.int64)
    duration = (np.asarray(times_us) * 1000).astype(np.int64).reshape(-1, 1)
    sample = Sample(start_ns=(stop - duration).astype(np.int64), stop_ns=stop.astype(np.int64))
    return Measurement(
        case=Case(collective="all_reduce", message_bytes=64, load=load),
        sample=sample,
        warmup=Sample(start_ns=sample.start_ns[:0], stop_ns=sample.stop_ns[:0]),
        launch=launch,
        wrong=0,
        labels=("loaded",) if load else (),
        group=group,
        load_bytes_per_s=rate,
    )


def campaign(*measurements: Measurement) -> Campaign:
    environment = Environment(
        ranks=8, location=Location(host=HOSTS), cores_per_host=dict.fromkeys("abcd", 2)
    )
    launches = tuple(
        Launch(number=number, protocol=Protocol(), environment=environment)
        for number in sorted({found.launch for found in measurements})
    )
    return Campaign(launches=launches, measurements=measurements)


def draws(median_us: float, seed: int, count: int = 1000) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(np.log(median_us), 0.2, count)


def test_factors_at_the_median_and_the_99th_percentile() -> None:
    """Three times as slow in all quantiles; the intervals hold 3 and are not wide."""
    (found,) = impacts(
        campaign(
            measurement("", draws(10, 3, 4000)),
            measurement("incast:6", 3 * draws(10, 4, 4000), rate=2e9),
        )
    )
    assert (found.key.load, found.ranks, found.message_bytes) == ("incast:6", 2, 64)
    assert found.quiet_s == pytest.approx(10e-6, rel=0.05)
    assert found.loaded_s == pytest.approx(30e-6, rel=0.05)
    for factor, width in ((found.median, 0.1), (found.tail, 0.4)):
        assert factor.low < 3 < factor.high
        assert factor.low < factor.value < factor.high
        assert factor.high - factor.low < 3 * width
    assert found.load_bytes_per_s == 2e9


def test_the_interval_covers_the_factor_also_when_samples_depend_on_each_other() -> None:
    """AR(1) with rho 0.8, 24 trials of 500 samples: the interval holds the factor in 20."""
    rng = np.random.default_rng(0)

    def dependent() -> np.ndarray:
        noise = np.zeros(500)
        steps = rng.normal(0, 1, 500)
        for i in range(1, 500):
            noise[i] = 0.8 * noise[i - 1] + 0.6 * steps[i]
        return 100 * np.exp(0.2 * noise)

    covered = 0
    for _ in range(24):
        pair = campaign(measurement("", dependent()), measurement("incast:6", 2 * dependent()))
        (found,) = impacts(pair)
        covered += found.median.low <= 2 <= found.median.high
    assert covered >= 20


def test_groups_at_once_are_held_against_one_alone_also_where_they_share_cores() -> None:
    """The load itself makes more ranks than cores; it is said, and hides nothing."""
    groups = [
        replace(
            measurement("concurrent:4", draws(30, k), group=k), labels=("oversubscribed", "loaded")
        )
        for k in range(4)
    ]
    (found,) = impacts(campaign(measurement("", draws(10, 9)), *groups))
    assert found.median.value == pytest.approx(3, rel=0.1)
    assert found.oversubscribed
    (alone,) = impacts(
        campaign(measurement("", draws(10, 9)), measurement("incast:6", draws(10, 1)))
    )
    assert not alone.oversubscribed


def test_a_launch_that_holds_both_sides_counts_alone() -> None:
    """A quiet launch of another day, ten times as slow, does not enter."""
    (found,) = impacts(
        campaign(
            measurement("", draws(100, 1), launch=0),
            measurement("", draws(10, 2), launch=1),
            measurement("incast:6", draws(20, 3), launch=1),
        )
    )
    assert found.median.value == pytest.approx(2, rel=0.05)


def test_few_samples_tell_no_tail_and_one_side_alone_nothing() -> None:
    few = campaign(
        measurement("", draws(10, 1, 50)), measurement("permutation:6", draws(10, 2, 50))
    )
    (found,) = impacts(few)
    assert np.isnan(found.tail.value)
    assert found.median.value == pytest.approx(1, rel=0.2)
    assert impacts(campaign(measurement("incast:6", draws(10, 1)))) == []


def test_loaded_and_quiet_are_never_one_row_nor_compared_nor_fitted() -> None:
    both = campaign(measurement("", draws(10, 1)), measurement("incast:6", draws(30, 2)))
    rows = list(dataset_of(both))
    assert {(row.key.load, row.fit_for_fitting) for row in rows} == {
        ("", True),
        ("incast:6", False),
    }
    assert len(dataset_of(both).series()) == 2
    assert {place.key.load for place in launches_of(both)} == {"", "incast:6"}


def test_groups_of_a_launch_are_one_row_of_one_launch_on_their_own_hosts() -> None:
    groups = [
        measurement("concurrent:6", draws(10 + group, group), group=group) for group in range(4)
    ]
    held = campaign(*groups)
    assert [held.location_of(found).host for found in groups] == [
        ("a", "a"),
        ("b", "b"),
        ("c", "c"),
        ("d", "d"),
    ]
    (row,) = dataset_of(held)
    assert (row.launches, row.repetitions, row.hosts, row.cores) == (1, 4000, 1, 2)
    (samples,) = launches_of(held).values()
    assert [len(launch) for launch in samples] == [4000]
