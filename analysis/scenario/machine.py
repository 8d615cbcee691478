"""What a campaign of one machine contributes: measured, fitted, forecast, each named as such."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..extrapolate import Extrapolator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..fabrics import Fabric
    from ..fit import Fit
    from ..prediction import Prediction

__all__ = ["Fitted", "Machine", "Measured", "read_machine"]

_NEAR_BYTES = 1 << 20  # the measured size nearest to it is forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One series that was measured."""

    collective: str
    transport: str
    cells: int
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """One parameter fitted to a series, with its 90 % interval."""

    series: str
    name: str
    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Measured, fitted and forecast, apart."""

    measured: tuple[Measured, ...]
    fitted: tuple[Fitted, ...]
    forecast: tuple[Prediction, ...]


def read_machine(
    fits: Sequence[Fit], fabric: Fabric, seed: int = 0, gpus: Sequence[int] = ()
) -> Machine:
    """Return what the fits of a campaign say, and their forecasts.

    They are for the fabric's tiers and for `gpus`.
    """
    forecast: list[Prediction] = []
    for fit in fits:
        used = [row for row in fit.rows if row.fit_for_fitting] or list(fit.rows)
        ranks = {max(row.ranks for row in used)}
        size = min({row.message_bytes for row in used}, key=lambda n: abs(n - _NEAR_BYTES))
        ranks |= {min(size, round(fabric.endpoints.value)) for size in fabric.sizes} | set(gpus)
        forecast += Extrapolator(fit=fit, fabric=fabric, seed=seed).predict(sorted(ranks), [size])
    return Machine(
        measured=tuple(
            Measured(
                collective=fit.key.collective,
                transport=fit.key.transport,
                cells=len(list(fit.rows)),
                ranks=tuple(sorted({row.ranks for row in fit.rows})),
            )
            for fit in fits
        ),
        fitted=tuple(
            Fitted(
                series=f"{fit.key.collective} {fit.key.transport}",
                name=parameter.name,
                value=float(parameter.value),
                low=float(parameter.low),
                high=float(parameter.high),
                unit=parameter.unit,
            )
            for fit in fits
            if fit.curve
            for parameter in fit.curve.parameters
        ),
        forecast=tuple(forecast),
    )
