"""Failures against published counts and times."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.fabrics import load_fabric, load_facts
from collcast.analysis.goodput import goodput, mtbf_s, recovery_s, start_s
from collcast.bench.errors import FabricError

FACTS = load_facts("failure")
RSC1, LLAMA3, FT_HSDP = (FACTS[f"rate_{n}"].value for n in ("rsc1", "llama3", "ft_hsdp"))
FABRIC = load_fabric("colossus-2")


def test_419_interruptions_in_54_days_lie_within_the_rates():
    low, middle, high = (54 * 86_400 / mtbf_s(16_384, r) for r in (FT_HSDP, LLAMA3, RSC1))
    assert middle == pytest.approx(419, rel=1e-3)
    assert low < 419 < high


@pytest.mark.parametrize(("gpus", "hours"), [(16_384, 1.8), (131_072, 0.23)])
def test_time_between_failures_as_projected_from_rsc_1(gpus, hours):
    assert mtbf_s(gpus, RSC1) / 3600 == pytest.approx(hours, rel=0.03)


def test_18_minutes_at_about_100_000():
    assert mtbf_s(100_000, RSC1) / 60 == pytest.approx(18, rel=0.03)


def test_at_a_million_failures_are_minutes_apart():
    found = goodput(FABRIC, 1_000_000, "shrink")
    assert [value / 60 for value in found.mtbf_s] == pytest.approx([5.0, 3.0, 1.8], rel=0.03)
    assert found.beyond_published


def test_published_effective_training_time_at_about_100_000():
    """44 % with full restart and a stall of 10 minutes, 80 % where replicas go on (3 minutes)."""
    mean = mtbf_s(98_304, RSC1)
    assert 1 - FACTS["stall_full"].value / mean == pytest.approx(0.44, abs=0.02)
    assert goodput(FABRIC, 98_304, "shrink").share[2] == pytest.approx(0.80, abs=0.05)


def test_full_restart_comes_to_nothing_and_the_curve_falls():
    for policy in ("restart", "restart_optimised", "shrink"):
        shares = [goodput(FABRIC, n, policy).share[1] for n in (1 << k for k in range(10, 20))]
        assert shares == sorted(shares, reverse=True)
        assert all(0 <= share <= 1 for share in shares)
    assert max(goodput(FABRIC, 1_000_000, "restart").share) < 1e-6


@pytest.mark.parametrize("gpus", [98_304, 1_000_000])
def test_stalls_in_a_row_and_joined_are_the_ends_of_what_is_left(gpus):
    """Failures of a Poisson process, one by one."""
    found = goodput(FABRIC, gpus, "shrink")
    for mean, least, most in zip(found.mtbf_s, found.share, found.most, strict=True):
        at = np.cumsum(np.random.default_rng(1).exponential(mean, 200_000))
        worked, until = 0.0, 0.0
        for now in at:
            worked += max(0.0, now - until)
            until = max(now, until) if now < until else now + found.stall_s
        assert worked / at[-1] == pytest.approx(most, abs=0.01)
        queued = max(0.0, 1 - len(at) * found.stall_s / at[-1])
        assert queued == pytest.approx(least, abs=0.01)


def test_full_restart_is_daly_s_complete_formula_at_its_best_interval():
    found = goodput(FABRIC, 200_000, "restart_optimised")
    for mean, cost, share in zip(found.mtbf_s, (0.3, 1.0, 5.0), found.share, strict=True):
        every = np.geomspace(0.1, 10 * mean, 20_000)
        left = every / (mean * np.exp(found.stall_s / mean) * np.expm1((every + cost) / mean))
        assert share == pytest.approx(left.max(), rel=0.02)
        assert share <= left.max() * (1 + 1e-6)


def test_recovery_without_the_start_grows_with_the_job():
    times = [recovery_s(n, optimised=True) for n in (98_304, 400_000, 800_000, 1_500_000)]
    assert times == sorted(times)
    assert times[0] == pytest.approx(700 + 24.6, rel=0.15)


def test_start_and_recovery_pass_near_the_published_points():
    for gpus, start, recovery in ((16_384, 17, 200), (65_536, 100, 600), (98_304, 200, 900)):
        assert start_s(gpus, optimised=False) == pytest.approx(start, rel=0.15)
        assert recovery_s(gpus, optimised=False) == pytest.approx(recovery, rel=0.15)
    assert start_s(1_000_000, optimised=False) / 60 == pytest.approx(65, rel=0.1)
    assert recovery_s(1_000_000, optimised=False) / 60 == pytest.approx(90, rel=0.1)
    assert start_s(96_000, optimised=True) == 24
    assert start_s(192_000, optimised=True) == 48


def test_mistakes():
    with pytest.raises(FabricError, match="policy: found 'hope'"):
        goodput(FABRIC, 8, "hope")
    with pytest.raises(FabricError, match="found 2,000,000, expected 1 to 1,000,000"):
        goodput(FABRIC, 2_000_000, "shrink")
    with pytest.raises(FabricError, match=r"this-machine\.failure"):
        goodput(load_fabric("this-machine"), 8, "shrink")
