"""Shapes of more chunks than anybody counts: HDF5 would, and never come back."""

from __future__ import annotations

import h5py
import pytest

from collcast.bench import store
from collcast.bench.errors import StoreError
from collcast.bench.sample import Campaign

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def path(tmp_path, make_launch, make_measurement):
    path = tmp_path / "run.h5"
    measurements = tuple(make_measurement(seed) for seed in range(2))
    store.write_campaign(path, Campaign(launches=(make_launch(),), measurements=measurements))
    return path


def put(path, place):
    group, _, name = place.rpartition("/")
    with h5py.File(path, "r+", libver="v110") as file:
        parent = file.require_group(group)
        if name in parent:
            del parent[name]
        parent.create_dataset(name, shape=(1 << 62, 1), dtype="i8", chunks=(1 << 15, 1))


def repaired(path):
    """How many cases are whole."""
    new = path.with_name("new.h5")
    store.repair_campaign(path, new)
    return len(store.read_campaign(new).measurements)


def test_stamps_are_refused(path):
    put(path, "cases/1/sample/gap_ns")
    with pytest.raises(StoreError, match=r"1/sample/gap_ns: .* of 140737488355328 chunks"):
        store.read_campaign(path)
    assert repaired(path) == 1


@pytest.mark.parametrize(("place", "whole"), [("cases/1/sample/later", 1), ("later/later", 2)])
def test_what_a_later_version_might_have_added_is_not_copied(path, place, whole, make_launch):
    put(path, place)
    assert len(store.read_campaign(path).measurements) == 2
    assert len(store.survey_campaign(path).findings) == 2 - whole
    store.append_launch(path, make_launch(1))
    with pytest.raises(StoreError, match=f"{place}: found 140737488355328 chunks"):
        store.consolidate(path)
    assert repaired(path) == whole


def test_a_launch_that_cannot_be_copied_takes_its_cases_with_it(path):
    put(path, "launches/0/later")
    assert repaired(path) == 0
    assert store.survey_campaign(path.with_name("new.h5")).is_whole
