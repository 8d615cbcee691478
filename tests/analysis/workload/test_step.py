"""Steps against the two that were published, with one fitted number."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from collcast.analysis.fabrics import draw_costs, load_fabric
from collcast.analysis.workload import DIMENSIONS, load_workload, price_step, workloads
from collcast.analysis.workload.group import exchange_s, group_sizes, reduce_s
from collcast.bench.errors import CaseError, FabricError

LLAMA = load_workload("llama-3-405b")
PEAK = 989e12


def changed(workload, **values):
    figures = {
        name: msgspec.structs.replace(getattr(workload, name), value=value, low=None, high=None)
        for name, value in values.items()
    }
    return msgspec.structs.replace(workload, **figures)


def test_the_fitted_efficiency_is_what_its_source_says():
    step = price_step(changed(LLAMA, micro_batches=32.0), load_fabric("llama3-24k"), 8192)
    assert step.mfu[0] * PEAK / 1e12 == pytest.approx(430, rel=2e-3)
    assert {load_workload(name).efficiency.value for name in workloads()} == {
        LLAMA.efficiency.value
    }
    assert LLAMA.efficiency.status == "fitted"


def test_llama_3_405b_at_16k_was_not_fitted():
    step = price_step(LLAMA, load_fabric("llama3-24k"), 16_384)
    assert step.mfu[0] == pytest.approx(0.41, rel=0.15)
    assert step.tokens == 16 * 1024 * 1024


def test_deepseek_v3_was_not_fitted():
    step = price_step(load_workload("deepseek-v3"), load_fabric("deepseek-mpft"), 2048)
    assert step.step_s[0] == pytest.approx(19.926, rel=0.15)
    assert step.mfu[0] == pytest.approx(0.437, rel=0.15)


@pytest.mark.parametrize("name", workloads())
def test_parts_add_up_and_intervals_hold_the_central_value(name):
    fabric = load_fabric("colossus-2")
    central, drawn = (price_step(load_workload(name), fabric, 200_000, draws=d) for d in (0, 500))
    assert tuple(drawn.parts_s) == DIMENSIONS
    assert drawn.step_s == pytest.approx(sum(drawn.parts_s.values()))
    low, high = np.quantile(drawn.step_s, [0.05, 0.95])
    assert low < central.step_s[0] < high
    assert 0 <= drawn.exposed.min() <= drawn.exposed.max() < 1
    assert drawn.used <= 200_000


def test_a_taper_costs_data_parallel_time():
    fabric = load_fabric("colossus-2")
    core = fabric.tiers[-1]
    tapered = msgspec.structs.replace(core, oversubscription=msgspec.structs.replace(
        core.oversubscription, value=7.0, low=None, high=None))  # fmt: skip
    narrow = msgspec.structs.replace(fabric, tiers=(*fabric.tiers[:-1], tapered))
    wide, slow = (price_step(LLAMA, f, 1_000_000).parts_s["data"][0] for f in (fabric, narrow))
    assert slow > wide


def test_groups_by_hand():
    assert group_sizes((72, 256, 65_536), 1000, 128) == ((2, 512), [1, 2])
    assert group_sizes((8, 256), 8, 1) == ((8,), [0])
    fabric = load_fabric("deepseek-mpft")
    costs = draw_costs(fabric, "all_to_all", 0)
    found = exchange_s(fabric, 64, 1, 64e6, costs)[0]
    leaf = fabric.tiers[1]
    by_hand = 8.4e-6 + 56 * (2.8e-6 + 30 * 4.9e-9) + 56e6 / (0.8 * 50e9)
    inside = 7 * 3.33e-6 + 7e6 / (0.8 * 200e9)
    assert leaf.name == "leaf"
    assert found == pytest.approx(by_hand + inside, rel=1e-6)
    assert reduce_s(fabric, 1, 1, 1e9, costs)[0] == 0


def test_mistakes():
    with pytest.raises(CaseError, match="one replica"):
        price_step(LLAMA, load_fabric("llama3-24k"), 100)
    with pytest.raises(CaseError, match="to 24,576"):
        price_step(LLAMA, load_fabric("llama3-24k"), 30_000)
    with pytest.raises(FabricError, match="deepseek-v3, grok-1, llama-3-405b"):
        load_workload("gpt")


@pytest.mark.parametrize("name", workloads())
def test_every_figure_of_a_preset_says_where_it_comes_from(name):
    figures = load_workload(name).figures()
    assert len(figures) == 23
    for key, figure in figures.items():
        assert figure.unit, key
        assert len(figure.source) > 5, key
        assert "from memory" not in figure.source or figure.status == "assumed", key
