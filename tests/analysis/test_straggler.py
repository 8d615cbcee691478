"""Waiting and transfer add up; stragglers are named and noise is not."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.arrival import split
from collcast.analysis.straggler import gaps_s, lags_s, rosters_of
from collcast.bench.case import Case
from collcast.bench.sample import Campaign, Measurement, Sample

US = 1_000


def test_waiting_and_transfer_by_hand() -> None:
    """Rank 1 comes 300 ns after rank 0; two operations a batch."""
    sample = Sample(
        start_ns=np.array([[1_000, 1_300]]), stop_ns=np.array([[1_500, 1_440]]), batch=2
    )
    found = split(sample)
    assert found.waiting_s[0] == pytest.approx([300e-9, 0])
    assert found.transfer_s[0] == pytest.approx([100e-9, 70e-9])
    assert found.whole_s[0] == pytest.approx(100e-9)


def test_waiting_and_transfer_are_all_a_rank_timed() -> None:
    generator = np.random.default_rng(0)
    start = generator.integers(0, 10**6, (50, 7))
    sample = Sample(start_ns=start, stop_ns=start + generator.integers(0, 10**6, (50, 7)))
    found = split(sample)
    assert found.waiting_s + found.transfer_s == pytest.approx(sample.local_s())
    assert found.waiting_s.min() == 0


@pytest.mark.parametrize("ranks", [2, 3, 4, 7, 8])
def test_a_lag_is_behind_the_median_of_the_others(ranks: int) -> None:
    stamps = np.random.default_rng(ranks).integers(0, 40, (200, ranks))  # with many ties
    expected = [
        [row[rank] - np.median(np.delete(row, rank)) for rank in range(ranks)] for row in stamps
    ]
    assert lags_s(stamps) == pytest.approx(np.array(expected) * 1e-9)


def synthetic(
    ranks: int = 4,
    repetitions: int = 400,
    *,
    late: float = 0.0,
    slow: float = 0.0,
    seed: int = 0,
    noise_us: float = 20.0,
    who: int = 1,
) -> list[Sample]:
    """Starts and stops of a barrier-like operation of 30 us with exponential noise on each rank.

    `late` and `slow` are rank `who`'s own delay before and after the operation, in us.
    """
    generator = np.random.default_rng(seed)
    samples = []
    for size in range(3):
        base = (10**9 * (size + 1) + np.arange(repetitions) * 10**6)[:, None]
        start = base + generator.exponential(noise_us * US, (repetitions, ranks))
        start[:, who] += late * US
        done = start.max(axis=1, keepdims=True) + 30 * US
        stop = done + generator.exponential(noise_us * US, (repetitions, ranks))
        stop[:, who] += slow * US
        samples.append(Sample(start_ns=start.astype(np.int64), stop_ns=stop.astype(np.int64)))
    return samples


def named(
    launch_of: object, samples: list[Sample], labels: tuple[str, ...] = (), sync: str = "none"
) -> list[tuple[int, str]]:
    launch = launch_of(0, samples[0].ranks, synchronisation=sync)  # type: ignore[operator]
    measurements = tuple(
        Measurement(
            case=Case(collective="all_reduce", message_bytes=8 << index), sample=sample,
            warmup=sample, launch=0,
            labels=labels, wrong=0,
        )
        for index, sample in enumerate(samples)
    )  # fmt: skip
    (roster,) = rosters_of(Campaign(launches=(launch,), measurements=measurements))
    return [(record.rank, record.straggles) for record in roster.stragglers]


@pytest.mark.parametrize("ranks", [2, 3, 4, 16])
@pytest.mark.parametrize(
    ("delays", "verdict"), [({"late": 200.0}, "late"), ({"slow": 200.0}, "slow")]
)
def test_a_straggler_is_named_and_nobody_else(
    launch_of: object, ranks: int, delays: dict[str, float], verdict: str
) -> None:
    """Behind a barrier the others only wait longer: that is no fault of theirs."""
    for seed in range(20):
        who = seed % ranks
        found = named(launch_of, synthetic(ranks, who=who, seed=seed, **delays))
        assert found == [(who, verdict)]


@pytest.mark.parametrize("ranks", [2, 4, 16])
def test_noise_names_nobody(launch_of: object, ranks: int) -> None:
    """Also where one rank has ten times the noise of the others: it lags often, not always."""
    for seed in range(50):
        quiet = synthetic(ranks, seed=seed, noise_us=50)
        loud = synthetic(ranks, seed=seed, noise_us=5)
        for sample in loud:
            sample.stop_ns[:, 1] += np.random.default_rng(seed).integers(0, 400 * US, 400) * (
                np.random.default_rng(seed + 1).random(400) < 0.3
            )
        assert named(launch_of, quiet) == []
        assert named(launch_of, loud) == []


def test_a_rank_disturbed_for_a_while_is_no_straggler(launch_of: object) -> None:
    """Half of the time, 5 ms late: a neighbour's job, not the rank."""
    samples = synthetic(seed=3)
    for sample in samples:
        sample.start_ns[:200, 1] += 5_000 * US
        sample.stop_ns[:200] += 5_000 * US
    assert named(launch_of, samples) == []


@pytest.mark.parametrize("delays", [{"late": 200.0}, {"slow": 200.0}])
def test_a_case_that_the_machine_disturbed_hides_nobody(
    launch_of: object, delays: dict[str, float]
) -> None:
    """Another job made one size of three take 11 ms; before, half of that hid any lag."""
    for disturbed in range(2):
        for extra, expected in ((delays, [1]), ({}, [])):
            samples = synthetic(seed=disturbed, **extra)
            generator = np.random.default_rng(disturbed)
            stop = samples[disturbed].stop_ns
            stop += 11_000 * US + generator.integers(0, 5_000 * US, (400, 4))
            assert [rank for rank, _ in named(launch_of, samples)] == expected


def test_two_stragglers_of_eight_are_both_named(launch_of: object) -> None:
    samples = synthetic(8, late=300, who=1)
    for sample in samples:
        sample.start_ns[:, 6] += 250 * US
        sample.stop_ns[...] = sample.start_ns.max(axis=1, keepdims=True) + 30 * US
    assert named(launch_of, samples) == [(1, "late"), (6, "late")]


def test_few_samples_name_nobody(launch_of: object) -> None:
    """Six blocks of a coin cannot reach the level, however large the lag."""
    assert named(launch_of, synthetic(repetitions=10, late=5_000)) == []
    assert named(launch_of, synthetic(repetitions=4, late=5_000)) == []


@pytest.mark.parametrize("ranks", [2, 3, 4, 7, 16])
def test_the_least_blocks_are_the_fewest_that_can_name(launch_of: object, ranks: int) -> None:
    """Cases of one block each, every one against rank 1."""
    launch = launch_of(0, ranks)  # type: ignore[operator]
    sample = synthetic(ranks, repetitions=5, late=5_000)[0]
    cases = [
        Measurement(
            case=Case(collective="all_reduce", message_bytes=8 << i), sample=sample,
            warmup=sample, launch=0, wrong=0,
        )
        for i in range(20)
    ]  # fmt: skip
    rosters = [
        rosters_of(Campaign(launches=(launch,), measurements=tuple(cases[:count])))[0]
        for count in range(1, 20)
    ]
    naming = [roster.blocks for roster in rosters if roster.stragglers]
    assert naming[0] == rosters[0].least_blocks


def test_ranks_that_do_not_meet_keep_nobody_waiting(launch_of: object) -> None:
    """Each times its own work: one that begins later is no straggler, and waits for nobody."""
    launch, sample = launch_of(0, 4), synthetic(late=5_000)[0]  # type: ignore[operator]
    case = Case(collective="noise", message_bytes=0, algorithm="fwq:20us")
    found = Measurement(case=case, sample=sample, warmup=sample, launch=0, wrong=0)
    assert rosters_of(Campaign(launches=(launch,), measurements=(found,))) == []


def test_a_lag_within_the_clock_s_error_names_nobody(launch_of: object) -> None:
    launch = launch_of(0, 4)  # type: ignore[operator]
    found = [
        Measurement(
            case=Case(collective="all_reduce", message_bytes=8), sample=sample, warmup=sample,
            launch=0, wrong=0, clock_error_ns=error_ns,
        )
        for sample, error_ns in [(synthetic(late=200)[0], 0.0), (synthetic(late=200)[0], 400e3)]
    ]  # fmt: skip
    stragglers = [
        rosters_of(Campaign(launches=(launch,), measurements=(one,)))[0].stragglers for one in found
    ]
    assert [len(names) for names in stragglers] == [1, 0]


def test_a_gap_is_behind_the_last_before() -> None:
    stamps = np.array([[50, 10, 30], [7, 9, 8]])
    expected = np.array([[20, np.nan, 20], [np.nan, 1, 1]])
    assert gaps_s(stamps) * 1e9 == pytest.approx(expected, nan_ok=True)
    before = np.array([4, 7])
    assert gaps_s(stamps, before)[:, 1] * 1e9 == pytest.approx([6, 1])
    assert gaps_s(stamps, before)[1, 0] == 0


@pytest.mark.parametrize("kind", ["late", "slow"])
@pytest.mark.parametrize(("who", "mate"), [(0, 1), (1, 0), (2, 3), (3, 1)])
def test_of_ranks_that_share_a_core_the_first_is_to_blame(
    launch_of: object, kind: str, who: int, mate: int
) -> None:
    """The rank that waits for the core comes even later, through no fault of its own."""
    samples = synthetic(noise_us=3, who=who, **{kind: 200.0})
    held = []
    for sample in samples:
        stamps = {"late": sample.start_ns, "slow": sample.stop_ns}[kind].copy()
        stamps[:, mate] = stamps[:, who] + 4 * US
        start, stop = (
            (stamps, stamps.max(axis=1, keepdims=True) + 30 * US + np.arange(4) * US)
            if kind == "late"
            else (sample.start_ns, stamps)
        )
        held.append(Sample(start_ns=start, stop_ns=stop))
    assert named(launch_of, held, labels=("oversubscribed",)) == [(who, kind)]
    assert len(named(launch_of, held)) == 2


def test_shared_cores_alone_name_nobody(launch_of: object) -> None:
    """Four ranks on one core leave one behind the other, always in the same order."""
    for seed in range(20):
        samples = synthetic(noise_us=3, seed=seed)
        for sample in samples:
            sample.start_ns[...] += np.arange(4) * 30 * US
            sample.stop_ns[...] += np.arange(4) * 40 * US
        assert named(launch_of, samples, labels=("oversubscribed",)) == []


def test_the_first_of_all_is_late_behind_a_slow_barrier(launch_of: object) -> None:
    """All ranks on one core: the late one is first, and the others come behind it."""
    start = np.zeros((400, 4), np.int64)
    stop = np.zeros((400, 4), np.int64)
    for late_us, expected in ((200, [(2, "late")]), (0, [])):
        now = 0
        for i in range(400):
            start[i] = now + (25 + late_us) * US + 4 * US * np.array([1, 2, 0, 3])
            stop[i] = start[i].max() + 20 * US + 4 * US * np.arange(4)
            now = stop[i].max()
        samples = [Sample(start_ns=start.copy(), stop_ns=stop.copy())]
        assert named(launch_of, samples, ("oversubscribed",), "barrier") == expected
