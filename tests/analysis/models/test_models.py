"""Models against hand-worked numbers, the closed forms, and a simulation rank by rank."""

from __future__ import annotations

from math import ceil, log2

import numpy as np
import pytest

from collcast.analysis.models import MODELS, Costs, models_of, time_s
from collcast.bench.errors import CaseError

A, B, C = 2e-6, 1e-10, 3e-11
BY_NAME = {model.name: model for model in MODELS}
COSTS = Costs(
    overhead_s=np.zeros(1),
    alpha_s=np.full((1, 1), A),
    beta_s_per_byte=np.full((1, 1), B),
    taper=np.ones((1, 1)),
    gamma_s_per_byte=np.full(1, C),
)
CLOSED_FORMS = {
    "ring": lambda p, n: 2 * (p - 1) * A + 2 * n * (p - 1) / p * B + n * (p - 1) / p * C,
    "recursive_doubling": lambda p, n: log2(p) * (A + n * B + n * C),
    "rabenseifner": lambda p, n: 2 * log2(p) * A + (p - 1) / p * n * (2 * B + C),
    "pairwise": lambda p, n: (p - 1) * A + n * (p - 1) / p * B,
    "bruck": lambda p, n: ceil(log2(p)) * A + n / 2 * log2(p) * B,
}


def one_tier(name, ranks, n):
    return float(time_s(BY_NAME[name].demand(ranks), np.array([float(n)]), COSTS)[0, 0])


@pytest.mark.parametrize("n", [8, 1 << 20, 1 << 30])
@pytest.mark.parametrize("ranks", [2, 8, 256, 1 << 20])
@pytest.mark.parametrize("name", sorted(CLOSED_FORMS))
def test_one_tier_gives_the_closed_form(name, ranks, n):
    assert one_tier(name, ranks, n) == pytest.approx(CLOSED_FORMS[name](ranks, n), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "steps", "sent", "reduced"),
    [
        # P = 6, by hand: fold 2 ranks of 6 away, 4 remain.
        ("ring", 10, 10 / 6, 5 / 6),
        ("recursive_doubling", 4, 4, 3),
        ("rabenseifner", 6, 2 * 3 / 4 + 2, 3 / 4 + 1),
        ("pairwise", 5, 5 / 6, 0),
        # Blocks 0..5: bit 0 in 1, 3, 5; bit 1 in 2, 3; bit 2 in 4, 5.
        ("bruck", 3, (3 + 2 + 2) / 6, 0),
    ],
)
def test_six_ranks_by_hand(name, steps, sent, reduced):
    demand = BY_NAME[name].demand(6)
    assert demand.steps.sum() == steps
    assert demand.bytes_per_byte.sum() == pytest.approx(sent)
    assert demand.reduced_per_byte == pytest.approx(reduced)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_one_rank_costs_nothing(model):
    demand = model.demand(1, (4, 16))
    assert not demand.steps.any()
    assert not demand.bytes_per_byte.any()


@pytest.mark.parametrize("layout", ["contiguous", "random"])
@pytest.mark.parametrize("ranks", [2, 3, 7, 8, 9, 24, 64, 100])
@pytest.mark.parametrize("name", sorted(CLOSED_FORMS))
def test_tiers_only_divide_what_one_tier_asks(name, ranks, layout):
    model = BY_NAME[name]
    whole = model.demand(ranks)
    split = model.demand(ranks, (8, 24, 128), layout)
    assert split.steps.sum() == pytest.approx(whole.steps.sum())
    assert (split.steps >= 0).all()
    if not split.pipelined:
        assert split.bytes_per_byte.sum() == pytest.approx(whole.bytes_per_byte.sum())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_unused_tiers_are_free(model):
    demand = model.demand(8, (8, 64))
    assert demand.steps[1] == 0
    assert demand.bytes_per_byte[1] == 0


def test_contiguous_ring_leaves_each_domain_twice():
    demand = BY_NAME["ring"].demand(64, (8, 64))
    assert demand.steps.tolist() == [2 * 55, 2 * 8]
    assert demand.share.tolist() == [1, 1 / 8]


def test_random_ring_pays_the_taper_in_full():
    demand = BY_NAME["ring"].demand(64, (8, 64), "random")
    assert demand.share[1] == pytest.approx(56 / 63)
    assert demand.steps.sum() == 2 * 63


def test_all_to_all_crosses_with_the_share_of_ranks_beyond():
    demand = BY_NAME["pairwise"].demand(128, (8, 128))
    assert demand.bytes_per_byte.tolist() == [7 / 128, 120 / 128]


def test_rabenseifner_keeps_large_parts_inside_a_domain():
    demand = BY_NAME["rabenseifner"].demand(64, (8, 64))
    assert demand.bytes_per_byte[1] == pytest.approx(2 * (1 / 16 + 1 / 32 + 1 / 64))
    assert demand.steps.tolist() == [6, 6]


def test_exchanges_cross_domains_that_are_no_power_of_two():
    # Blocks of 2, 4 and 8 divide 72; that of 16 straddles its end.
    assert BY_NAME["recursive_doubling"].demand(128, (72, 128)).steps.tolist() == [3, 4]


def test_two_levels_by_hand():
    demand = BY_NAME["two_level"].demand(32, (8, 32))
    assert demand.steps.tolist() == [14, 4]
    assert demand.bytes_per_byte.tolist() == [2 * 7 / 8, 2 * 3 / 4 / 8]
    assert demand.reduced_per_byte == pytest.approx(7 / 8 + 3 / 4 / 8)


def test_two_levels_are_no_model_of_one_tier():
    assert "two_level" not in {model.name for model in models_of("all_reduce")}
    assert "two_level" in {model.name for model in models_of("all_reduce", 2)}


def run_ring(ranks, size, inner, outer):
    """Latency of a ring all-reduce, every rank's clock moved step by step."""
    clock = np.zeros(ranks)
    edge = np.where((np.arange(ranks) % size == 0), outer, inner)  # into rank r from r - 1
    for _ in range(2 * (ranks - 1)):
        clock = np.maximum(clock, np.roll(clock, 1) + edge)
    return clock.max()


def run_exchanges(ranks, size, inner, outer):
    clock, rank = np.zeros(ranks), np.arange(ranks)
    for k in range(int(log2(ranks))):
        partner = rank ^ (1 << k)
        cost = np.where(rank // size == partner // size, inner, outer)
        clock = np.maximum(clock, clock[partner]) + cost
    return clock.max()


def run_shifts(ranks, size, inner, outer):
    clock, rank = np.zeros(ranks), np.arange(ranks)
    for k in range(int(log2(ranks))):
        source = (rank - (1 << k)) % ranks
        cost = np.where(rank // size == source // size, inner, outer)
        clock = np.maximum(clock, clock[source] + cost)
    return clock.max()


@pytest.mark.parametrize(
    ("name", "run", "tolerance"),
    [
        ("ring", run_ring, 0.01),
        ("recursive_doubling", run_exchanges, 1e-12),
        # Few short rounds cross a boundary on the critical path: at most one step per boundary.
        ("bruck", run_shifts, 0.35),
    ],
)
@pytest.mark.parametrize("size", [4, 8, 16])
def test_steps_are_those_of_a_simulation(name, run, tolerance, size):
    inner, outer, ranks = 1.0, 5.0, 64
    steps = BY_NAME[name].demand(ranks, (size, ranks)).steps
    assert steps @ [inner, outer] == pytest.approx(run(ranks, size, inner, outer), rel=tolerance)


def test_cost_sums_or_takes_the_slowest_tier():
    costs = Costs(
        overhead_s=np.full(1, 1.0),
        alpha_s=np.zeros((1, 2)),
        beta_s_per_byte=np.array([[1.0, 10.0]]),
        taper=np.array([[1.0, 4.0]]),
        gamma_s_per_byte=np.zeros(1),
    )
    n = np.array([1.0])
    ring = BY_NAME["ring"].demand(64, (8, 64))
    # One rank in 8 goes up: a taper of 4 does not bind.
    assert time_s(ring, n, costs)[0, 0] == pytest.approx(1 + 10 * 2 * 63 / 64)
    pairwise = BY_NAME["pairwise"].demand(64, (8, 64))
    assert time_s(pairwise, n, costs)[0, 0] == pytest.approx(1 + 7 / 64 + 4 * 10 * 56 / 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0,), "at least 1"), ((9, (8,)), "at most 8"), ((4, (8,), "spiral"), "contiguous, random")],
)
def test_bad_requests_are_refused(arguments, message):
    with pytest.raises(CaseError, match=message):
        BY_NAME["ring"].demand(*arguments)
