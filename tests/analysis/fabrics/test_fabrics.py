"""Fabric files: complete, checked, and drawn from as they say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from collcast.analysis import fabrics
from collcast.analysis.fabrics import built_in_fabrics, draw_costs, load_fabric, load_facts
from collcast.analysis.fabrics.build import Plan, build
from collcast.analysis.fabrics.check import evaluate_formula, names_in, rests_on_assumption
from collcast.analysis.fabrics.clos import limits
from collcast.analysis.fabrics.write import to_toml
from collcast.bench.errors import FabricError

TEXT = (Path(fabrics.__file__).parent / "colossus-2.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", built_in_fabrics())
def test_every_figure_has_unit_source_status_and_date(name):
    for figure_name, figure in load_fabric(name).figures().items():
        assert figure.unit, figure_name
        assert len(figure.source) > 5, figure_name
        assert figure.status in {"primary", "secondary", "derived", "assumed"}, figure_name
        assert re.fullmatch(r"\d{4}(-\d\d){0,2}", figure.date), figure_name


@pytest.mark.parametrize("name", built_in_fabrics())
def test_what_was_not_read_again_rests_on_an_assumption(name):
    figures = load_fabric(name).figures()
    for figure_name, figure in figures.items():
        if "from memory" in figure.source:
            assert rests_on_assumption(figure_name, figures), figure_name


@pytest.mark.parametrize("name", built_in_fabrics())
def test_what_is_not_exact_has_a_range(name):
    fabric = load_fabric(name)
    for tier in fabric.tiers:
        if tier.name == "host":
            continue
        for figure in (tier.latency, *tier.efficiency.values()):
            assert figure.low < figure.value < figure.high


def test_colossus_2_holds_a_million():
    fabric = load_fabric("colossus-2")
    assert fabric.endpoints.value == 1_000_000
    assert fabric.sizes == (72, 256, 65_536, 1_048_576)
    assert [tier.name for tier in fabric.tiers] == ["nvlink", "leaf", "pod", "core"]


def test_the_nic_is_assumed_and_what_follows_from_it_too():
    figures = load_fabric("colossus-2").figures()
    assert rests_on_assumption("network.nic_rate", figures)
    assert rests_on_assumption("core.rate", figures)
    assert not rests_on_assumption("mrc_hop", figures)
    assert not rests_on_assumption("nvlink.size", figures)


SLIPS = {
    "unit missing": (r', unit = "ranks"', "", "unit"),
    "source missing": (r'source = "all-ai[^"]*", ', "", "source"),
    "source empty": (r'source = "all-ai[^"]*"', 'source = " "', "endpoints.source"),
    "status missing": (r', status = "secondary"', "", "status"),
    "status unknown": (r'status = "secondary"', 'status = "rumour"', "rumour"),
    "date missing": (r', date = "2025-07"', "", "date"),
    "date in words": (r'date = "2025-07"', 'date = "July 2025"', "endpoints.date"),
    "value negative": (r"value = 9e11", "value = -9e11", "nvlink.rate"),
    "rate in Gbit/s": (r"value = 9e11", "value = 7200", "nvlink.rate"),
    "unit of another": (r'(value = 9e11, )unit = "bytes/s"', r'\1unit = "bit/s"', "nvlink.rate"),
    "derived, not following": (r"value = 7.99e-6", "value = 8.99e-6", "core.latency"),
    "derived, no formula": (r', formula = "pod.latency[^"]*"', "", "core.latency"),
    "formula in a circle": (r'"network.nic_rate / 8"', '"leaf.rate"', "leaf.rate"),
    "formula of nothing": (r"pod.latency \+ 2", "podd.latency + 2", "podd.latency"),
    "formula that calls": (r"pod.latency \+ 2", "open('x') + 2", "open"),
    "value outside its range": (r"value = 2e12", "value = 9e12", "reduction_rate"),
    "half a range": (r"low = 1e12, ", "", "reduction_rate"),
    "efficiency above one": (r"high = 0.92", "high = 1.92", "nvlink.efficiency"),
    "more endpoints than the top": (r"value = 1000000,", "value = 2000000,", "endpoints"),
    "tiers out of order": (r"value = 72,", "value = 720,", "nvl72_domain"),
    "typing error": (r"(?m)^propagation", "propagatoin", "propagat"),
    "newer schema": (r"schema = 1\n", "schema = 2\n", "schema"),
    "not a number": (r"value = 2e12", "value = nan", "reduction_rate"),
    "pattern missing": (r"efficiency.all_to_all", "efficiency.alltoall", "alltoall"),
    "odd radix": (r"value = 512,", "value = 511,", "even"),
    "fewer ports than endpoints": (r"value = 512,", "value = 64,", "leaf.size"),
    "MW where GW is meant": (r"value = 1e9,", "value = 1e6,", "power.supply.claimed"),
    "kW where W is meant": (r"value = 2479.5", "value = 2.4795", "power.all_in.gb300"),
    "half a plane": (r"planes_per_nic = { value = 4", "planes_per_nic = { value = 4.5", "whole"),
    "no such switch": (r'switch = "switch"', 'switch = "router"', "leaf.switch"),
    "switch without links": (r"link_rate = [^\n]*\n", "", "link_rate"),
    "routing unknown": (r'value = "spray"', 'value = "spread"', "spread"),
    "no queue pair": (r'value = "spray"', 'value = "spray", queue_pairs = 0', "queue_pairs"),
    "routing without date": (r'(routing = {[^\n]*)date = "2026"', r'\1date = "soon"', "date"),
    "no such facts": (r'"failure"\]', '"failures"]', "facts"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_refused_in_one_line_that_names_it(slip, tmp_path):
    pattern, replacement, named = SLIPS[slip]
    changed, count = re.subn(pattern, replacement, TEXT, count=1)
    assert count == 1
    path = tmp_path / "mine.toml"
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(FabricError) as caught:
        load_fabric(path)
    assert "mine.toml" in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_unchanged_file_is_accepted_by_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT, encoding="utf-8")
    assert load_fabric(path) == load_fabric("colossus-2")


@pytest.mark.parametrize(
    ("name", "message"),
    [("colossus-9", "colossus-2"), ("no/such.toml", "cannot be read"), ("", "expected one of")],
)
def test_no_such_fabric(name, message):
    with pytest.raises(FabricError, match=message):
        load_fabric(name)


def test_bytes_that_are_no_toml(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe = [")
    with pytest.raises(FabricError, match=r"mine\.toml"):
        load_fabric(path)


def test_formulas():
    figures = load_fabric("colossus-2").figures()
    assert evaluate_formula("(switch.ports / 2) ** 2 + 1", figures) == 65_537
    assert set(names_in("pod.latency + 2 * mrc_hop")) == {"mrc_hop", "pod.latency"}
    with pytest.raises(FabricError, match="no value"):
        evaluate_formula("1 / 0", figures)
    with pytest.raises(FabricError, match="no value"):
        evaluate_formula("(1 - 2) ** 0.5", figures)
    with pytest.raises(FabricError, match="arithmetic"):
        evaluate_formula("1 +", figures)


def test_central_costs_by_hand():
    costs = draw_costs(load_fabric("colossus-2"), "exchange", 0)
    assert costs.alpha_s[0, 3] == pytest.approx(7.99e-6 + 2000 * 4.9e-9)
    assert costs.beta_s_per_byte[0, 3] == pytest.approx(1 / (0.85 * 100e9))
    assert costs.gamma_s_per_byte[0] == pytest.approx(0.5e-12)


def test_draws_have_the_stated_quantiles():
    fabric = load_fabric("colossus-2")
    costs = draw_costs(fabric, "exchange", 40_000, seed=4)
    figure = fabric.overhead
    found = np.quantile(costs.overhead_s, [0.05, 0.5, 0.95])
    assert found == pytest.approx([figure.low, figure.value, figure.high], rel=0.02)
    assert (costs.taper >= 1).all()
    assert (costs.beta_s_per_byte[:, 3] >= 1 / 100e9).all()  # no efficiency above 1


def test_draws_repeat_with_the_seed():
    fabric = load_fabric("colossus-2")
    first, again, other = (draw_costs(fabric, "exchange", 9, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.alpha_s, again.alpha_s)
    assert not np.array_equal(first.alpha_s, other.alpha_s)


@pytest.mark.parametrize("name", built_in_fabrics())
def test_what_is_written_reads_back_the_same(name, tmp_path):
    fabric = load_fabric(name)
    path = tmp_path / "again.toml"
    path.write_text(to_toml(fabric), encoding="utf-8")
    assert load_fabric(path) == fabric


def test_every_shared_figure_has_unit_source_status_and_date():
    for name in ("nccl", "network", "power", "failure"):
        for key, figure in load_facts(name).items():
            assert figure.unit, key
            assert len(figure.source) > 5, key
            assert re.fullmatch(r"\d{4}(-\d\d){0,2}", figure.date), key
            assert "from memory" not in figure.source or figure.status == "assumed", key


def test_every_fabric_of_the_issue_is_there_and_whole():
    names = {
        "colossus-1", "colossus-2", "colossus-2-four-tier", "colossus-2-two-tier", "llama3-24k",
        "deepseek-mpft", "alibaba-hpn", "mrc-131k", "zettascale10", "gb300-nvl72-pod",
        "this-machine",
    }  # fmt: skip
    assert names == set(built_in_fabrics())
    for name in names - {"this-machine"}:
        fabric = load_fabric(name)
        assert fabric.network, name
        assert fabric.power, name
        assert fabric.cost, name
        assert fabric.failure, name


def test_limits_of_published_trees():
    """2 (k/2)^L: three tiers of radix 64 and 128 (SemiAnalysis); MPFT's planes; HPN's pod."""
    for ports, expected in ((64, 65_536), (128, 524_288)):
        plan = Plan(name="x", endpoints=expected, domain=8, nic_bits_per_s=400e9, ports=ports,
                    port_bits_per_s=400e9, rails=8, tiers=3, nvlink=4)  # fmt: skip
        assert limits(build(plan))["core"] == expected
        with pytest.raises(FabricError, match=f"at most {expected:,}"):
            build(replace(plan, endpoints=expected + 1))
    assert limits(load_fabric("deepseek-mpft"))["spine"] == 16_384
    assert (
        limits(load_fabric("alibaba-hpn"))["pod"] == 132 * 128
    )  # 60 of 256 ports go up at twice the rate
    assert limits(load_fabric("mrc-131k"))["spine"] == 131_072
    assert limits(load_fabric("colossus-2-two-tier"))["spine"] == 2_097_152


def test_the_fewest_tiers_that_hold_the_endpoints_are_built():
    plan = Plan(name="x", endpoints=1_000_000, domain=8, nic_bits_per_s=400e9, ports=128,
                port_bits_per_s=400e9, rails=8)  # fmt: skip
    assert [tier.name for tier in build(plan).tiers[1:]] == ["leaf", "pod", "block", "core"]
    with pytest.raises(FabricError, match="524,288, the end of 3 tiers"):
        build(replace(plan, tiers=3))
    with pytest.raises(FabricError, match="even number"):
        build(replace(plan, ports=127))
    with pytest.raises(FabricError, match="radix"):
        build(replace(plan, nic_bits_per_s=-1))
