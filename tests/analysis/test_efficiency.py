"""Hash routing loses what the fullest link takes; figures by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.efficiency import efficiency, simulate_loads
from collcast.bench.errors import CaseError


@pytest.mark.parametrize(
    ("flows", "leaves", "expected"),
    [(1, 1, 0.25), (1, 4096, 0.13), (64, 1, 0.77), (64, 4096, 0.62)],
)
def test_64_uplinks(flows, leaves, expected):
    fullest = simulate_loads(64, leaves, flows, draws=200 if leaves == 1 else 9, seed=5)
    assert flows / np.median(fullest) == pytest.approx(expected, abs=0.015)
    assert efficiency("hash", 64, leaves, flows) == pytest.approx(expected, abs=0.015)


def test_it_falls_with_scale_and_rises_with_flows():
    by_scale = [efficiency("hash", 64, leaves, 8) for leaves in (1, 16, 256, 4096)]
    assert by_scale == sorted(by_scale, reverse=True)
    assert by_scale[-1] < by_scale[0]
    by_flows = [efficiency("hash", 64, 64, flows) for flows in (1, 8, 64, 512)]
    assert by_flows == sorted(by_flows)


def test_pinned_and_sprayed_flows_lose_nothing():
    assert efficiency("pinned", 64, 4096) == efficiency("spray", 64, 4096) == 1.0


def test_what_is_no_routing_is_refused():
    with pytest.raises(CaseError, match="expected one of hash, pinned, spray"):
        efficiency("luck", 64)
    with pytest.raises(CaseError, match="at least 1"):
        efficiency("hash", 0)
