"""Slow pairs and slow ranks: told apart, named at any size, not invented from noise."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from collcast.analysis.pair import find_slow, matrices_of, nothing_slow
from collcast.bench.case import Case
from collcast.bench.environment import Environment, Location
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample

SIZES = (8, 512, 32_768, 1 << 21)


def campaign_of(
    ranks: int = 4,
    *,
    slow_us: Any = None,
    sizes: tuple[int, ...] = SIZES,
    seed: int = 0,
    noise: float = 0.15,
    per_host: int = 64,
    between: float = 1.0,
    repetitions: int = 60,
) -> Campaign:
    """Ping-pongs of 2 us + 0.1 ns/byte with lognormal noise.

    slow_us(i, j, size) is what a pair takes more; `between` multiplies times between hosts.
    """
    generator = np.random.default_rng(seed)
    hosts = tuple(f"h{rank // per_host}" for rank in range(ranks))
    environment = Environment(ranks=ranks, location=Location(host=hosts))
    launch = Launch(number=0, protocol=Protocol(), environment=environment)
    measurements = []
    for size in sizes:
        for i, j in combinations(range(ranks), 2):
            time_s = (2e-6 + 1e-10 * size) * (between if hosts[i] != hosts[j] else 1)
            time_s += 1e-6 * (slow_us(i, j, size) if slow_us else 0)
            drawn = time_s * np.exp(noise * np.abs(generator.standard_normal(repetitions)))
            trip = np.round(2e9 * drawn).astype(np.int64)[:, None]
            start = np.arange(repetitions)[:, None] * 10**8 + np.zeros((1, 2), np.int64)
            sample = Sample(start_ns=start, stop_ns=start + trip, batch=2)
            case = Case(collective="ping_pong", message_bytes=size, root=i, peer=j)
            measurements.append(
                Measurement(case=case, sample=sample, warmup=sample, launch=0, wrong=0)
            )
    return Campaign(launches=(launch,), measurements=tuple(measurements))


def names(campaign: Campaign) -> list[tuple[int, ...]]:
    return [found.ranks for found in find_slow(campaign)]


@pytest.mark.parametrize("ranks", [3, 4, 5, 9])
def test_a_slow_pair_is_named_and_its_ranks_are_not(ranks: int) -> None:
    for seed, pair in enumerate(combinations(range(ranks), 2)):
        slow = campaign_of(ranks, seed=seed, slow_us=lambda i, j, _, p=pair: 100 * ((i, j) == p))
        assert names(slow) == [pair]


@pytest.mark.parametrize("ranks", [4, 5, 9])
def test_a_slow_rank_is_named_and_its_pairs_are_not(ranks: int) -> None:
    """With three of six pairs slow, the lower median is still that of the others."""
    for rank in range(ranks):
        slow = campaign_of(ranks, seed=rank, slow_us=lambda i, j, _, r=rank: 100 * (r in {i, j}))
        assert names(slow) == [(rank,)]


def test_a_slow_rank_and_another_slow_pair() -> None:
    slow = campaign_of(8, slow_us=lambda i, j, _: 50 * (3 in {i, j}) + 80 * ((i, j) == (5, 6)))
    assert names(slow) == [(3,), (5, 6)]


def test_noise_names_nothing() -> None:
    for seed in range(50):
        assert names(campaign_of(4, seed=seed, noise=0.5, repetitions=30)) == []


def test_a_pair_disturbed_for_a_while_is_not_slow() -> None:
    """Two looks of four at a pair met a neighbour's job; not in a row of three."""
    slow = campaign_of(4, slow_us=lambda i, j, n: 5_000 * ((i, j) == (0, 2) and n in {8, 512}))
    assert names(slow) == []


def test_one_size_is_one_look() -> None:
    slow = campaign_of(4, sizes=(8,), slow_us=lambda i, j, _: 100 * ((i, j) == (1, 3)))
    assert names(slow) == [(1, 3)]


def test_a_link_of_low_rate_is_slow_for_large_messages_only() -> None:
    sizes = tuple(8 << (2 * k) for k in range(11))
    slow = campaign_of(4, sizes=sizes, slow_us=lambda i, j, n: 3e-4 * n * ((i, j) == (0, 1)))
    (found,) = find_slow(slow)
    assert found.ranks == (0, 1)
    assert min(found.sizes) > 512
    assert found.ratio > 2


def test_pairs_of_one_host_and_of_two_are_other_classes() -> None:
    """Between hosts ten times slower: no fault; one such pair twice as slow again: a fault."""
    assert names(campaign_of(8, per_host=4, between=10.0)) == []
    slow = campaign_of(
        8, per_host=4, between=10.0, slow_us=lambda i, j, n: (20 + 2e-3 * n) * ((i, j) == (1, 6))
    )
    assert names(slow) == [(1, 6)]


def test_too_few_ranks_tell_nothing() -> None:
    """Two of the three pairs of three ranks are no exception: one may as well be fast."""
    assert names(campaign_of(2, slow_us=lambda i, j, _: 1_000)) == []
    assert names(campaign_of(3, slow_us=lambda i, j, _: 1_000 * (0 in {i, j}))) == []
    assert nothing_slow(campaign_of(2)).startswith("too few pairs")
    assert nothing_slow(campaign_of(3)) == "no pair and no rank is slow"


def test_a_matrix_holds_the_median_of_every_pair() -> None:
    matrices = matrices_of(campaign_of(4, noise=0.0))
    assert [matrix.message_bytes for matrix in matrices] == list(SIZES)
    first = matrices[0].time_s
    assert np.isnan(np.diag(first)).all()
    assert first[0, 3] == first[3, 0] == pytest.approx(2e-6, rel=0.01)
