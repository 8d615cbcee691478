"""Steps and bytes of the other collectives' models, counted by hand."""

from __future__ import annotations

import pytest

from collcast.analysis.models import MODELS, model_named, models_of
from collcast.bench.errors import CaseError


@pytest.mark.parametrize(
    ("collective", "name", "ranks", "steps", "sent", "reduced"),
    [
        ("all_gather", "ring_gather", 8, 7, 7 / 8, 0),
        ("all_gather", "doubling", 8, 3, 7 / 8, 0),
        ("all_gather", "doubling", 6, 3, 5 / 6, 0),  # 1 + 2 + 2 parts
        ("reduce_scatter", "ring_scatter", 8, 7, 7 / 8, 7 / 8),
        ("reduce_scatter", "halving", 5, 3, 4 / 5, 4 / 5),  # 1 + 2 + 1 parts
        ("broadcast", "binomial", 8, 3, 3, 0),
        ("broadcast", "binomial", 9, 4, 4, 0),
        ("broadcast", "scatter_all_gather", 8, 6, 14 / 8, 0),
        ("send_recv", "neighbour", 8, 1, 1, 0),
        ("all_reduce", "reduce_broadcast", 8, 6, 6, 3),
        ("all_reduce", "double_tree", 8, 6, 2, 1),
        ("all_reduce", "double_tree", 9, 8, 2, 1),
        ("all_reduce", "nvls", 8, 2, (1 + 1 / 8) / 0.74, 1),
        ("all_reduce", "sharp", 32, 2, 1, 1),
        ("all_reduce", "sharp", 2048, 6, 1, 1),  # 32, 1,024, 32,768: three levels
    ],
)
def test_on_one_tier(collective, name, ranks, steps, sent, reduced):
    demand = model_named(collective, name).demand(ranks)
    assert demand.steps.sum() == pytest.approx(steps)
    assert demand.bytes_per_byte.max() == pytest.approx(sent)
    assert demand.reduced_per_byte == pytest.approx(reduced)


def test_ring_of_a_gather_leaves_a_host_once():
    demand = model_named("all_gather", "ring_gather").demand(16, (8, 1 << 62))
    assert demand.steps.tolist() == [13, 2]  # 15 edges, two between the hosts
    assert demand.share.tolist() == [1, 1 / 8]


def test_a_tree_crosses_hosts_in_its_long_steps():
    demand = model_named("all_reduce", "double_tree").demand(64, (8, 1 << 62))
    assert demand.steps.tolist() == [6, 6]
    assert demand.pipelined


def test_a_neighbour_may_lie_behind_the_outermost_tier():
    demand = model_named("send_recv", "neighbour").demand(64, (8, 32, 1 << 62))
    assert demand.steps.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("collective", "names"),
    [
        ("all_gather", {"ring_gather", "doubling"}),
        ("reduce_scatter", {"ring_scatter", "halving"}),
        ("broadcast", {"binomial", "scatter_all_gather"}),
        ("send_recv", {"neighbour"}),
        ("all_reduce", {"ring", "recursive_doubling", "rabenseifner"}),
    ],
)
def test_what_needs_hardware_goes_by_name_alone(collective, names):
    assert {model.name for model in models_of(collective)} == names


@pytest.mark.parametrize(
    ("collective", "more"), [("all_reduce", {"rail_ring"}), ("all_to_all", {"direct"})]
)
def test_what_is_not_linear_in_costs_needs_them_known(collective, more):
    names = [{model.name for model in models_of(collective, 2, known=k)} for k in (False, True)]
    assert names[1] - names[0] == more


def test_an_unknown_algorithm_is_refused_with_those_known():
    with pytest.raises(CaseError, match="found 'magic', expected one of binomial, scatter_all"):
        model_named("broadcast", "magic")


def test_names_are_unique():
    names = [model.name for model in MODELS]
    assert len(names) == len(set(names))
