"""Costs for models that are held to messages listed one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from collcast.analysis.models import Costs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def make_costs(alpha: Sequence[float], beta: Sequence[float], taper: Sequence[float] = ()) -> Costs:
    """One draw of costs without overhead and reduction."""
    return Costs(
        overhead_s=np.zeros(1),
        alpha_s=np.array([alpha], dtype=float),
        beta_s_per_byte=np.array([beta], dtype=float),
        taper=np.array([taper or [1.0] * len(alpha)], dtype=float),
        gamma_s_per_byte=np.zeros(1),
    )


@pytest.fixture(scope="session")
def costs() -> Callable[..., Costs]:
    return make_costs
