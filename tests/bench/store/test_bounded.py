"""Campaigns larger than memory should be: gathered in blocks, decoded when looked at."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.dataset import dataset_of
from collcast.bench import measure, store
from collcast.bench.errors import StoreError
from collcast.bench.store import lazy


class Ranks:
    """A communicator of ranks that do not exist: each has the stamps of rank 0, a little later."""

    rank = 0

    def __init__(self, size):
        self.size, self.largest_bytes = size, 0

    def Gather(self, mine, block):  # noqa: N802
        late_ns = np.arange(self.size)[:, None, None]
        np.add(mine, late_ns, out=block)
        self.largest_bytes = max(self.largest_bytes, block.nbytes)


def stamps_of_rank_0(repetitions, seed=0):
    gaps = np.random.default_rng(seed).integers(1000, 30_000, 2 * repetitions)
    return 10**15 + np.cumsum(gaps).reshape(-1, 2).T


@pytest.mark.parametrize(("ranks", "repetitions"), [(1, 0), (3, 1), (700, 1000), (300_000, 3)])
def test_gathering_in_blocks_is_gathering(monkeypatch, ranks, repetitions):
    world, stamps = Ranks(ranks), stamps_of_rank_0(repetitions)
    sample = measure.gather_sample(world, stamps, 2)
    expected = stamps[:, :, None] + np.arange(ranks)
    assert np.array_equal(sample.start_ns, expected[0])
    assert np.array_equal(sample.stop_ns, expected[1])
    assert sample.batch == 2
    assert world.largest_bytes <= max(16 * measure._BLOCK_STAMPS, 16 * ranks)


@pytest.fixture
def path(tmp_path, make_launch, make_measurement, monkeypatch):
    """A campaign of which 3 of 6 cases are kept; half of it in the journal."""
    path = tmp_path / "run.h5"
    store.append_launch(path, make_launch())
    for seed in range(6):
        store.append_measurement(path, make_measurement(seed, repetitions=40, ranks=5))
        if seed == 2:
            store.consolidate(path)
    monkeypatch.setattr(lazy, "_KEPT_BYTES", 3 * 16 * 42 * 5)
    return path


def test_what_is_not_kept_reads_the_same(path, plain, monkeypatch):
    found = store.read_campaign(path)
    stored = [isinstance(one.sample, lazy.StoredSample) for one in found.measurements]
    assert stored == [False] * 3 + [True] * 3
    monkeypatch.setattr(lazy, "_KEPT_BYTES", 1 << 30)
    whole = store.read_campaign(path)
    assert plain(found) == plain(whole)
    for one, other in zip(found.measurements, whole.measurements, strict=True):
        assert (one.sample.repetitions, one.ranks) == (40, 5)
        for statistic in ("local_max", "makespan", "after_last_arrival"):
            assert np.array_equal(one.sample.seconds(statistic), other.sample.seconds(statistic))
    store.consolidate(path)
    assert plain(found) == plain(whole)


def test_stamps_of_devices_and_of_verified_operations_count_and_stay_too(
    tmp_path, make_launch, make_measurement, make_sample, plain, monkeypatch
):
    path = tmp_path / "run.h5"
    store.append_launch(path, make_launch())
    one = make_measurement(repetitions=40, ranks=5, verified=make_sample(10, 5))
    timed = replace(one.sample, device_ns=one.sample.stop_ns - one.sample.start_ns)
    store.append_measurement(path, replace(one, sample=timed))
    whole = store.read_campaign(path)
    stamps_bytes = 8 * 5 * (3 * 40 + 2 * 2 + 2 * 10)
    for kept_bytes, stored in ((stamps_bytes, False), (stamps_bytes - 1, True)):
        monkeypatch.setattr(lazy, "_KEPT_BYTES", kept_bytes)
        found = store.read_campaign(path)
        (measured,) = found.measurements
        assert isinstance(measured.sample, lazy.StoredSample) == stored
        assert isinstance(measured.verified, lazy.StoredSample) == stored
        assert plain(found) == plain(whole)


def test_a_campaign_that_was_replaced_is_not_mixed_with_the_one_read(path, make_launch):
    found = store.read_campaign(path)
    lazy._read_case.cache_clear()
    store.remove_campaign(path)
    store.append_launch(path, make_launch())
    with pytest.raises(StoreError, match="another campaign than was read"):
        found.measurements[-1].sample.seconds("local_max")


def test_memory_does_not_grow_with_cases(tmp_path, make_launch, make_measurement, monkeypatch):
    ranks, repetitions = 2000, 50
    case_bytes = 16 * ranks * repetitions
    monkeypatch.setattr(lazy, "_KEPT_BYTES", 2 * case_bytes)
    path = tmp_path / "run.h5"
    store.append_launch(path, make_launch())
    measurement = make_measurement(repetitions=repetitions, ranks=ranks)
    tracemalloc.start()
    peaks = []
    for cases in (3, 9):
        while store.survey_campaign(path).cases < cases:
            store.append_measurement(path, measurement)
        tracemalloc.reset_peak()
        assert len(dataset_of(store.read_campaign(path)).rows) == 1
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < peaks[0] + 3 * case_bytes  # the one last read stays
    assert peaks[1] < 8 * case_bytes
