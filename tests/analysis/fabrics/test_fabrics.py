"""Fabric files: complete, checked, and drawn from as they say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from collcast.analysis import fabrics
from collcast.analysis.fabrics import built_in_fabrics, draw_costs, load_fabric
from collcast.analysis.fabrics.check import evaluate_formula, names_in, rests_on_assumption
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
def test_what_is_not_exact_has_a_range(name):
    fabric = load_fabric(name)
    for tier in fabric.tiers:
        for figure in (tier.latency, *tier.efficiency.values()):
            assert figure.low < figure.value < figure.high


def test_colossus_2_holds_a_million():
    fabric = load_fabric("colossus-2")
    assert fabric.endpoints.value == 1_000_000
    assert fabric.sizes == (72, 256, 65_536, 1_048_576)
    assert [tier.name for tier in fabric.tiers] == ["nvlink", "leaf", "pod", "core"]


def test_the_nic_is_assumed_and_what_follows_from_it_too():
    figures = load_fabric("colossus-2").figures()
    assert rests_on_assumption("nic_bits_per_s", figures)
    assert rests_on_assumption("core.rate", figures)
    assert not rests_on_assumption("hop_latency", figures)
    assert not rests_on_assumption("nvlink.size", figures)


SLIPS = {
    "unit missing": (r'unit = "ranks"\n', "", "unit"),
    "source missing": (r'source = "all-ai[^\n]*\n', "", "source"),
    "source empty": (r'source = "all-ai[^\n]*\n', 'source = " "\n', "endpoints.source"),
    "status missing": (r'status = "secondary"\n', "", "status"),
    "status unknown": (r'status = "secondary"\n', 'status = "rumour"\n', "rumour"),
    "date missing": (r'date = "2025-07"\n', "", "date"),
    "date in words": (r'date = "2025-07"', 'date = "July 2025"', "endpoints.date"),
    "value negative": (r"value = 900e9", "value = -900e9", "nvlink.rate"),
    "rate in Gbit/s": (r"value = 900e9", "value = 7200", "nvlink.rate"),
    "unit of another": (
        r'(value = 900e9\n)unit = "bytes/s"',
        r'\1unit = "bit/s"',
        "nvlink.rate.unit",
    ),
    "derived, not following": (r"value = 7.99e-6", "value = 8.99e-6", "core.latency"),
    "derived, no formula": (r'formula = "pod.latency[^\n]*\n', "", "core.latency"),
    "formula in a circle": (r'"nic_bits_per_s / 8"', '"leaf.rate"', "leaf.rate"),
    "formula of nothing": (r"pod.latency \+ 2", "podd.latency + 2", "podd.latency"),
    "formula that calls": (r"pod.latency \+ 2", "open('x') + 2", "open"),
    "value outside its range": (r"value = 2.0e12", "value = 9.0e12", "reduction_rate"),
    "half a range": (r"low = 1.0e12\n", "", "reduction_rate"),
    "efficiency above one": (r"high = 0.89\n", "high = 1.89\n", "nvlink.efficiency"),
    "more endpoints than ports": (r"value = 1_000_000\n", "value = 2_000_000\n", "endpoints"),
    "tiers out of order": (r"value = 72\n", "value = 720\n", "leaf.size"),
    "typing error": (r"\[propagation\]", "[propagatoin]", "propagat"),
    "newer schema": (r"schema = 1\n", "schema = 2\n", "schema"),
    "not a number": (r"value = 2.0e12", "value = nan", "reduction_rate"),
    "pattern missing": (r"tiers.efficiency.all_to_all", "tiers.efficiency.alltoall", "alltoall"),
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
    assert evaluate_formula("(radix / 2) ** 2 + 1", figures) == 65_537
    assert set(names_in("pod.latency + 2 * hop_latency")) == {"hop_latency", "pod.latency"}
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
