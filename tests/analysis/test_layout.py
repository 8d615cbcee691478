"""How ranks lay in a campaign, between contiguous and random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.layout import demand_at, scatter_of
from collcast.analysis.models import model_named
from collcast.bench.environment import Location
from collcast.bench.errors import CaseError
from collcast.bench.sample import Campaign


def campaign_on(launch_of, hosts):
    launch = launch_of(0, len(hosts))
    location = Location(host=tuple(hosts), local_rank=(0,) * len(hosts))
    environment = replace(launch.environment, location=location)
    return Campaign(launches=(replace(launch, environment=environment),), measurements=())


def test_from_contiguous_to_random(launch_of):
    block = [f"n{rank // 8}" for rank in range(64)]
    assert scatter_of(campaign_on(launch_of, block)) == 0.0
    mixed = list(np.random.default_rng(3).permutation(block))
    assert scatter_of(campaign_on(launch_of, mixed)) > 0.8
    assert scatter_of(campaign_on(launch_of, [f"n{rank % 8}" for rank in range(64)])) == 1.0
    half = block[:32] + list(np.random.default_rng(3).permutation(block[32:]))
    assert 0.2 < scatter_of(campaign_on(launch_of, half)) < 0.8


def test_one_host_or_one_rank_per_host_says_nothing(launch_of):
    for hosts in (["a"] * 8, [f"n{rank}" for rank in range(8)]):
        with pytest.raises(CaseError, match="--layout measured: found no launch"):
            scatter_of(campaign_on(launch_of, hosts))


def test_a_demand_between_the_two():
    ring = model_named("all_reduce", "ring")
    near, mid, far = (demand_at(ring, 1024, (8, 1024), s) for s in (0.0, 0.25, 1.0))
    assert mid.share == pytest.approx(0.75 * near.share + 0.25 * far.share)
    assert near.steps[1] < mid.steps[1] < far.steps[1]
