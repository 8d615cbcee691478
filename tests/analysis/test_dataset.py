"""Campaigns become rows."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.dataset import UNITS, Dataset, dataset_of
from collcast.bench.errors import CaseError
from collcast.bench.sample import Campaign


def test_columns_have_equal_length_and_units(campaign_of):
    rows = dataset_of(campaign_of())
    columns = {name: rows.column(name) for name in Dataset.column_names()}
    assert {len(column) for column in columns.values()} == {len(rows)}
    assert set(UNITS) <= set(columns)
    assert columns["ranks"].dtype.kind == "i"
    assert columns["median_s"].dtype.kind == "f"


def test_unknown_column_is_refused(campaign_of):
    with pytest.raises(CaseError, match="'speed'"):
        dataset_of(campaign_of()).column("speed")


def test_launches_of_the_same_case_are_pooled(launch_of, measurement_of):
    launches = (launch_of(0, 2), launch_of(1, 2), launch_of(2, 2))
    measurements = tuple(
        measurement_of(launch, [time] * 10, wrong=wrong)
        for launch, time, wrong in zip(launches, (1e-6, 2e-6, 4e-6), (0, None, 3), strict=True)
    )
    (row,) = dataset_of(Campaign(launches=launches, measurements=measurements))
    assert (row.launches, row.repetitions, row.wrong) == (3, 30, 3)
    assert row.median_s == pytest.approx(2e-6)
    assert row.hosts == 1
    assert row.cores == 64
    assert row.leaves == -1


def test_the_spread_is_that_of_iterations_inside_launches(launch_of, measurement_of):
    launches = (launch_of(0, 2), launch_of(1, 2))
    measurements = tuple(measurement_of(launch, np.linspace(1e-6, 3e-6, 41)) for launch in launches)
    (row,) = dataset_of(Campaign(launches=launches, measurements=measurements))
    assert row.spread == pytest.approx(np.log(2 / 1.1), rel=1e-3)
    apart = tuple(
        measurement_of(launch, [time] * 10)
        for launch, time in zip(launches, (1e-6, 9e-6), strict=True)
    )
    assert dataset_of(Campaign(launches=launches, measurements=apart)).rows[0].spread == 0.0


def test_labels_and_hosts_are_not_pooled(launch_of, measurement_of):
    launches = (launch_of(0, 2), launch_of(1, 2))
    campaign = Campaign(
        launches=launches,
        measurements=(
            measurement_of(launches[0], [1e-6]),
            measurement_of(launches[1], [9e-6], labels=("oversubscribed",)),
        ),
    )
    rows = dataset_of(campaign)
    assert [row.labels for row in rows] == [(), ("oversubscribed",)]
    assert [row.fit_for_fitting for row in rows] == [True, False]


def test_unchecked_is_not_zero_wrong(launch_of, measurement_of):
    launch = launch_of(0, 2)
    campaign = Campaign(
        launches=(launch,), measurements=(measurement_of(launch, [1e-6], wrong=None),)
    )
    assert dataset_of(campaign).rows[0].wrong == -1


def test_statistic_follows_the_start_synchronisation(launch_of, measurement_of):
    launch = launch_of(0, 3, synchronisation="window")
    campaign = Campaign(launches=(launch,), measurements=(measurement_of(launch, [5e-6] * 7),))
    # Rank 2 starts 2 us late, so that the makespan is 7 us.
    assert dataset_of(campaign).rows[0].median_s == pytest.approx(7e-6)
    assert dataset_of(campaign, "local_max").rows[0].median_s == pytest.approx(5e-6)


def test_series_are_sorted_and_told_apart(campaign_of):
    series = dataset_of(campaign_of()).series()
    assert [key.collective for key in series] == ["all_reduce", "all_to_all"]
    for rows in series.values():
        places = [(row.ranks, row.message_bytes) for row in rows]
        assert places == sorted(places)


def test_find_trusts_no_wrong_row(launch_of, measurement_of):
    launch = launch_of(0, 2)
    campaign = Campaign(launches=(launch,), measurements=(measurement_of(launch, [1e-6], wrong=1),))
    assert dataset_of(campaign).find(2, 1024) is None
    assert np.array_equal(dataset_of(campaign).column("wrong"), [1])
