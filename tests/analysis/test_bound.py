"""Bounds: by hand, below every model, and drawn and printed where they bind."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from collcast.analysis.bound import bound_of
from collcast.analysis.conditional import Conditional
from collcast.analysis.fabrics import draw_costs, load_fabric
from collcast.analysis.fabrics.what_if import what_if
from collcast.analysis.models import MODELS, time_s
from collcast.analysis.models.in_network import lacking
from collcast.analysis.models.model import tiers_used
from collcast.analysis.prediction import notes

FABRIC = load_fabric("colossus-2")


def test_by_hand():
    found = bound_of("all_to_all", 1_000_000, [2.0**30], FABRIC)
    core = FABRIC.tiers[3]
    # Out of a rack of 72 at the NIC's rate: nearly all bytes of every rank.
    assert found.bandwidth_s[0] == pytest.approx(2**30 * (1 - 72e-6) / 100e9)
    cable = core.cable.low or core.cable.value
    assert found.latency_s == pytest.approx(core.latency.low + cable * 4.9e-9)
    tapered = what_if(FABRIC, ["core.oversubscription=7"])
    slow = bound_of("all_to_all", 1_000_000, [2.0**30], tapered).bandwidth_s[0]
    assert slow == pytest.approx(7 * 2**30 * (1 - 0.065536) / 100e9)


@pytest.mark.parametrize("name", ["llama3-24k", "colossus-1"])
def test_switches_inside_a_node_do_not_halve_what_leaves_it(name):
    fabric = load_fabric(name)
    ranks, node = round(fabric.endpoints.value), fabric.sizes[0]
    (found,) = bound_of("all_reduce", ranks, [2.0**30], fabric).bandwidth_s
    domains = -(-ranks // node)
    sent = 2 * 2**30 * (domains - 1) / domains / node
    assert found == pytest.approx(sent / fabric.tiers[1].rate.value, rel=0.01)


@pytest.mark.parametrize("pattern", ["ping_pong", "unidirectional", "bidirectional", "pairs"])
def test_a_message_to_a_partner_passes_whole(pattern):
    (found,) = bound_of(pattern, 2, [2.0**20], FABRIC).bandwidth_s
    assert found == bound_of("send_recv", 2, [2.0**20], FABRIC).bandwidth_s[0]


def test_without_a_fabric_light_and_the_fastest_link():
    found = bound_of("all_reduce", 64, [8, 1 << 30])
    assert found.latency_s == 1e-8
    assert found.bandwidth_s[1] == pytest.approx(2**30 / 1.8e12)
    assert found.names == ["latency", "bandwidth"]


@pytest.mark.parametrize("ranks", [2, 72, 100, 5000, 1_000_000])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.collective}-{model.name}")
def test_no_model_is_faster(model, ranks):
    """With the figures at their best, whatever the algorithm: a model below it counts wrongly."""
    used = FABRIC.tiers[: tiers_used(ranks, FABRIC.sizes)]
    if lacking(model.name, [tier.in_network_reduction.value for tier in used]):
        pytest.skip("this fabric's switches cannot")
    best = msgspec.structs.replace(FABRIC, tiers=tuple(map(_best, FABRIC.tiers)))
    sizes = np.array([8.0, 2.0**20, 2.0**30])
    bound = bound_of(model.collective, ranks, sizes, FABRIC).time_s
    taken = time_s(model.demand(ranks, best.sizes), sizes, draw_costs(best, model.pattern, 0))[0]
    assert (taken >= bound * 0.999).all(), taken / bound


def _best(tier):
    def end(figure, name):
        value = getattr(figure, name)
        value = figure.value if value is None else value
        return msgspec.structs.replace(figure, value=value, low=None, high=None)

    efficiency = {k: msgspec.structs.replace(v, value=1.0, low=None, high=None)
                  for k, v in tier.efficiency.items()}  # fmt: skip
    return msgspec.structs.replace(
        tier, rate=end(tier.rate, "high"), latency=end(tier.latency, "low"),
        cable=end(tier.cable, "low"), oversubscription=end(tier.oversubscription, "low"),
        efficiency=efficiency,
    )  # fmt: skip


def test_draws_are_clipped_and_counted(rows_of):
    from collcast.analysis.extrapolate import Extrapolator
    from collcast.analysis.fit import fit

    # Without what lies between line rate and what is got, a model's spread reaches below the wire.
    fast = what_if(FABRIC, [f"{tier.name}.efficiency=1" for tier in FABRIC.tiers])
    (found,) = Conditional(collective="all_to_all", fabric=fast, draws=500).at(64, [1 << 30])
    assert 0.2 < found.clipped < 0.8
    assert found.bound == "bandwidth"
    assert found.times_s[3] == found.bound_s
    assert found.given_s[3] == found.bound_s
    series = fit(*rows_of("pairwise", scales=(2, 4)))
    (line,) = [
        line
        for line in notes(Extrapolator(fit=series, fabric=fast).predict([64], [1 << 30]), 4)
        if line.startswith("physical bound")
    ]
    assert "at 64 ranks" in line
    assert "(bandwidth)" in line
