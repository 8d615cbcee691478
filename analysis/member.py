"""Members: what the time may be as a function of scale and size, before a machine's own ripple.

    physics   a fitted cost model, or the fastest of several (`fit.Curve`)
    local     T = k0 + k1 lg P + k2 n (P-1)/P + k3 n lg P, k >= 0, fitted anew for every size with
              weights exp(-|c - c'|/2w) 2^(-r (x_max - x)); all-to-all has also k4 (P-1)
    steady    T = k(c) (P-1) for all-to-all, else k(c): the cost per message stays what it was

The first knows that all sizes share one latency and one rate; the second allows a protocol for
every size; the third knows nothing and is what remains where the others fail. n lg P is a rate
that falls with scale, as hash routing and tapered networks make it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cells import Cells

__all__ = ["Local", "Member", "Steady"]

_SIZE_WIDTH = 1.5
"""w, in doublings of size: tables step by 1 to 3 doublings; a protocol spans about 3 of NCCL's."""

_FORGETTING = 0.5
"""r: a scale weighs sqrt(1/2) of the next: what lies next to the target resembles it most."""

_LEAST_WEIGHT = 1e-3  # cells that weigh less are left out, for speed
_TINY_S = 1e-12  # no collective takes less; keeps logarithms finite


class Member(Protocol):
    """A mean of log time."""

    def log_s(self, cells: Cells) -> NDArray[np.float64]:
        """Return the logarithm of the time in seconds, shape (cell,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Local:
    """The local member, fitted to these cells."""

    cells: Cells
    time_s: NDArray[np.float64]
    fitted: dict[tuple[float, int], NDArray[np.float64]] = field(default_factory=dict)
    """Parameters by size and tier, found when first asked for."""

    def log_s(self, cells: Cells) -> NDArray[np.float64]:
        """Return the logarithm of the time in seconds, shape (cell,)."""
        columns = _columns(cells)
        values = np.array(
            [self._values(c, t) for c, t in zip(cells.c.tolist(), cells.tier.tolist(), strict=True)]
        )
        return np.asarray(np.log(np.maximum((columns * values).sum(axis=1), _TINY_S)))

    def _values(self, size: float, tier: int) -> NDArray[np.float64]:
        from scipy.optimize import nnls

        place = (round(size, 3), tier)
        if place in self.fitted:
            return self.fitted[place]
        x = self.cells.x
        weights = np.exp(-np.abs(self.cells.c - size) / (2 * _SIZE_WIDTH))
        weights *= 2.0 ** (-_FORGETTING * (x.max() - x)) * (self.cells.tier == tier)
        if weights.max() > 0:
            weights /= weights.max()
        used = weights > _LEAST_WEIGHT
        columns = _columns(self.cells.where(used)) * (weights[used] / self.time_s[used])[:, None]
        lengths = np.linalg.norm(columns, axis=0)
        lengths[lengths == 0] = 1.0
        self.fitted[place] = nnls(columns / lengths, weights[used])[0] / lengths
        return self.fitted[place]


def _columns(cells: Cells) -> NDArray[np.float64]:
    ranks, n = cells.ranks, cells.message_bytes
    found = [np.ones(len(ranks)), cells.x, n * (ranks - 1) / ranks, n * cells.x]
    return np.column_stack([*found, ranks - 1] if cells.per_peer else found)


@dataclass(frozen=True, slots=True)
class Steady:
    """The steady member; its level is the process's business."""

    def log_s(self, cells: Cells) -> NDArray[np.float64]:
        """Return the logarithm of the time over the level, shape (cell,)."""
        if cells.per_peer:
            return np.asarray(np.log(np.maximum(cells.ranks - 1, 1.0)))
        return np.zeros(len(cells.ranks))
