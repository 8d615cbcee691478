"""Which tiers rows show, and which parameters they can tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.design import (
    ONE_TIER,
    design_of,
    identify,
    measured_tiers,
    parameter_names,
    parameter_unit,
)
from collcast.analysis.models import MODELS, models_of


def test_one_host_is_one_tier(rows_of):
    assert measured_tiers(rows_of("ring")[1]) == ONE_TIER


def test_hosts_of_eight_are_two_tiers(rows_of):
    rows = rows_of("ring", scales=(2, 4, 8, 16, 32), per_host=8)[1]
    assert measured_tiers(rows) == (8, *ONE_TIER)


def test_one_rank_per_host_is_one_tier(rows_of):
    assert measured_tiers(rows_of("ring", scales=(1, 2, 4), per_host=1)[1]) == ONE_TIER


@pytest.mark.parametrize("collective", ["all_reduce", "all_to_all"])
def test_gamma_is_not_told_from_beta(collective):
    ranks, sizes = np.repeat([2, 4, 8, 16], 4), np.tile([8, 1 << 10, 1 << 20, 1 << 28], 4)
    matrix = design_of(models_of(collective), ranks, sizes, ONE_TIER)
    time_s = matrix[0] @ [1e-6, 1e-6, 1e-10, 0]
    design = identify(matrix, time_s, 1)
    assert design.kept == (0, 1, 2)
    assert design.unidentified == (("gamma",) if collective == "all_reduce" else ())


def test_one_scale_tells_overhead_from_nothing():
    sizes = np.array([8, 1 << 10, 1 << 20, 1 << 28])
    ring = [model for model in MODELS if model.name == "ring"]
    matrix = design_of(ring, np.full(4, 8), sizes, ONE_TIER)
    assert "alpha" in identify(matrix, matrix[0] @ [1e-6, 1e-6, 1e-10, 0], 1).unidentified


def test_names_and_units():
    assert parameter_names(1) == ("overhead", "alpha", "beta", "gamma")
    assert parameter_names(2)[1:5] == ("alpha_0", "alpha_1", "beta_0", "beta_1")
    assert [parameter_unit(name) for name in parameter_names(1)] == ["s", "s", "s/byte", "s/byte"]
