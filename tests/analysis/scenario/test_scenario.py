"""The answer for a site: claims, intervals, what is assumed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from collcast.analysis.conditional import Conditional
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fit import fit
from collcast.analysis.scenario import VERDICTS, examine
from collcast.analysis.scenario.claim import check_claims
from collcast.analysis.scenario.diagnostic import diagnose
from collcast.analysis.scenario.machine import read_machine
from collcast.analysis.scenario.sensitivity import widen
from collcast.analysis.scenario.share import slow_down
from collcast.bench.errors import CaseError

FABRIC = load_fabric("colossus-2")
FOUND = examine(FABRIC, draws=300)


def claim(words):
    (found,) = [item for item in FOUND.claims if words in item.claim]
    return found


def test_the_first_paragraph_says_what_kind_of_statement_it_is():
    assert FOUND.statement.startswith("This is a conditional statement")
    assert "about 488 times beyond any published GPU measurement" in FOUND.statement
    assert f"{len(FOUND.assumed)} of its {FOUND.figures}" in FOUND.statement


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("1,000,000 GPUs on 300 MW", "inconsistent"),
        ("200,000 GPUs on 300 MW", "consistent"),
        ("150 MW", "inconsistent"),
        ("550,000 GPUs on 1 GW", "consistent"),
        ("62.5 bn", "consistent"),
        ("125 bn", "not decidable"),
        ("25 bn USD being", "inconsistent"),
        ("own power", "not decidable"),
        ("on one network", "consistent"),
        ("one training job", "not decidable"),
        ("rented", "consistent"),
    ],
)
def test_verdicts(words, verdict):
    found = claim(words)
    assert found.verdict == verdict
    assert found.verdict in VERDICTS
    assert found.arithmetic
    assert found.sources


def test_a_million_on_300_mw_is_short_five_to_tenfold_and_belongs_to_another_site():
    found = claim("1,000,000 GPUs on 300 MW")
    assert "0.30 kW per GPU, against 1.50 to 3.00 kW" in found.arithmetic
    assert "factor of 5.0 to 10.0" in found.follows
    assert "requested for the site of 200,000" in found.follows


def test_only_the_site_of_the_seed_has_its_claims():
    assert examine(load_fabric("colossus-1"), draws=50).claims == ()


def test_steps_at_200k_550k_and_1m_have_intervals_and_parts():
    assert [row.gpus for row in FOUND.steps] == [200_000, 550_000, 1_000_000] * 3
    for row in FOUND.steps:
        for middle, low, high in (row.step_s, row.exposed, row.mfu):
            assert low < middle < high
        assert sum(row.parts_s.values()) == pytest.approx(row.step_s[0], rel=0.05)
        assert row.energy_j == pytest.approx(row.step_s[0] * row.used * 2479.5, rel=1e-3)


def test_every_assumed_tier_widens_the_interval():
    found = widen(FABRIC, 1_000_000, draws=2000)
    ratios = [item.ratio for item in found]
    assert [item.tier for item in found] == ["nvlink", "leaf", "pod", "core"]
    assert all(inner < outer for inner, outer in pairwise(ratios))


def test_flat_collectives_over_a_million_are_not_realisable_and_say_why():
    exchange, ring = diagnose(1_000_000)
    assert not exchange.realisable
    assert "= 235 bytes per peer" in exchange.arithmetic
    assert not ring.realisable
    assert diagnose(256)[0].realisable


def test_neighbours_cost_nothing_where_jobs_lie_together_and_more_the_more_is_tapered():
    assert slow_down(FABRIC, "contiguous") == pytest.approx(1.0)
    assert 1 < slow_down(FABRIC, "random", taper=40) < slow_down(FABRIC, "random", taper=70)
    # Whoever shares nothing loses nothing, however far a message goes.
    assert slow_down(FABRIC, "random", jobs=1, taper=7) == 1.0


def test_letting_is_inconsistent_where_neighbours_cost_a_lot_at_any_layout(monkeypatch):
    monkeypatch.setattr("collcast.analysis.scenario.share.slow_down", lambda *_: 3.0)
    (found,) = [item for item in check_claims(FABRIC) if "rented" in item.claim]
    assert found.verdict == "inconsistent"


def test_collectives_cost_what_extrapolate_says():
    assert len(FOUND.collectives) == 4 * 2 * 3
    assert {c.gpus for c in FOUND.collectives if not c.realisable} == {550_000, 1_000_000}
    one = Conditional(collective="all_reduce", fabric=FABRIC, draws=300, transport="nccl")
    (expected,) = one.at(1_000_000, [1 << 20])
    (found,) = [c for c in FOUND.collectives if c.collective == "all_reduce"
                and (c.message_bytes, c.gpus) == (1 << 20, 1_000_000)]  # fmt: skip
    assert (found.time_s, found.low_s, found.high_s) == (
        expected.times_s[0], *expected.times_s[3:],
    )  # fmt: skip
    # Where every tier varies, nothing is narrower than the forecast for the same question.
    last = FOUND.widening[-1]
    assert (last.low_s, last.high_s) == (found.low_s, found.high_s)


def test_every_supply_has_a_verdict_for_every_job():
    found = examine(load_fabric("colossus-1"), (100_000, 200_000), {"150MW": 150e6}, draws=50)
    assert [(item.claim, item.verdict) for item in found.claims] == [
        ("100,000 GPUs of colossus-1 on 150MW", "consistent"),
        ("200,000 GPUs of colossus-1 on 150MW", "inconsistent"),
    ]


def test_the_network_s_cost_is_held_against_its_share():
    assert "14.4 to 31.8 k USD by its parts" in FOUND.network_cost
    assert "13% to 18%" in FOUND.network_cost
    assert "contradict" in FOUND.network_cost or "outside" in FOUND.network_cost


def test_too_many_gpus():
    with pytest.raises(CaseError, match="1 to 1,000,000 on colossus-2"):
        examine(FABRIC, gpus=(2_000_000,))


def test_a_campaign_s_forecast_says_where_it_stops_being_measured(rows_of):
    machine = read_machine([fit(*rows_of("ring"))], FABRIC, gpus=(200_000,))
    assert 200_000 in {item.ranks for item in machine.forecast}
    assert {item.status for item in machine.forecast} == {"measured", "extrapolated", "conditional"}
    for item in machine.forecast:
        assert bool(item.assumed_tiers) == (item.status == "conditional")
    assert {"overhead", "beta"} <= {item.name for item in machine.fitted}


def test_sensitivities_are_ranked_by_what_they_do_to_a_step():
    ratios = [effect.ratio for effect in FOUND.effects]
    assert ratios == sorted(ratios, reverse=True)
    assert FOUND.effects[0].figure == "efficiency"
    assert min(ratios) >= 1
    assert f"{ratios[0] - 1:.0%} (efficiency)" in FOUND.statement
    assert "taper of the core tier" in {effect.figure for effect in FOUND.effects}
