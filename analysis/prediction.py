"""Prediction: one forecast of one series at one place, and the statement that goes before many.

Statuses:

    measured      the place itself was measured
    extrapolated  every tier that the place uses was crossed in the data
    conditional   some tier comes from a fabric file, named in `assumed_tiers`
    unsupported   beyond the largest measured tier or 64 times the largest scale without a fabric,
                  too few scales, or an interval wider than x10: shown, never hidden; without a
                  number where nothing gives one
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .dataset import SeriesKey
    from .fabrics import Fabric

__all__ = ["COLUMNS", "STATUSES", "Prediction", "notes", "predict_as", "statement"]

STATUSES = ("measured", "extrapolated", "conditional", "unsupported")
"""What kind of statement a prediction is."""

LARGEST_PUBLISHED_RANKS = 2048
"""GPUs of the largest published tables of collective times over sizes: Alps, De Sensi et al., SC24.
No measured collective at 200,000 or more was found anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Time of one collective: median over iterations of the slowest rank's, in a new launch."""

    collective: str
    transport: str
    algorithm: str
    protocol: str
    sync: str
    dtype: str
    placement: str
    memory: str
    fabric: str
    """Name of the fabric that assumed tiers come from; "" for none."""

    ranks: int
    message_bytes: int
    time_us: float | None
    """None, and so its intervals, where nothing supports a number."""

    low50_us: float | None
    """Ends of the 50 % and 90 % intervals, in microseconds."""

    high50_us: float | None
    low90_us: float | None
    high90_us: float | None
    status: str
    """One of `STATUSES`."""

    assumed_tiers: tuple[str, ...] = ()
    """Tiers whose figures come from the fabric file, innermost first."""


COLUMNS = tuple(field.name for field in fields(Prediction))
"""Names of a prediction's fields, in order."""

Times = tuple[float, float, float, float, float]
"""Time, 50 % interval, 90 % interval, in seconds."""


def predict_as(
    status: str,
    key: SeriesKey,
    ranks: int,
    message_bytes: int,
    *,
    times_s: Times | None = None,
    fabric: str = "",
    assumed_tiers: tuple[str, ...] = (),
) -> Prediction:
    """Return a prediction, its times in seconds turned into microseconds."""
    named: dict[str, Any] = {name: getattr(key, name) for name in COLUMNS[:8]}
    numbers = (None,) * 5 if times_s is None else tuple(1e6 * value for value in times_s)
    named |= dict(zip(COLUMNS[11:16], numbers, strict=True))
    return Prediction(
        **named,
        fabric=fabric,
        ranks=ranks,
        message_bytes=message_bytes,
        status=status,
        assumed_tiers=assumed_tiers,
    )


def statement(predictions: Sequence[Prediction], fabric: Fabric | None) -> str:
    """Return the line that says what kind of statement the predictions are."""
    counts = {status: sum(p.status == status for p in predictions) for status in STATUSES}
    kinds = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    conditional = [p for p in predictions if p.status == "conditional"]
    if not conditional or fabric is None:
        return f"Of {len(predictions)} predictions: {kinds}."
    tiers = list(dict.fromkeys(tier for p in conditional for tier in p.assumed_tiers))
    most = max(p.ranks for p in conditional)
    line = (
        "Conditional forecast: nothing of the network was measured; every tier "
        f"({', '.join(tiers)}) is as the fabric file {fabric.name} says"
    )
    if most > LARGEST_PUBLISHED_RANKS:
        factor = most / LARGEST_PUBLISHED_RANKS
        line += f"; {most:,} ranks are about {factor:.0f} times any published GPU measurement"
    return f"{line}. Of {len(predictions)} predictions: {kinds}."


def notes(predictions: Sequence[Prediction], element_bytes: int) -> tuple[str, ...]:
    """Return what a reader must know besides: forecasts that no call could have."""
    thin = [
        p
        for p in predictions
        if p.collective == "all_to_all"
        and p.status in {"extrapolated", "conditional"}
        and p.message_bytes < p.ranks * element_bytes
    ]
    if not thin:
        return ()
    worst = min(thin, key=lambda p: p.message_bytes / p.ranks)
    per_peer = worst.message_bytes / worst.ranks
    note = (
        f"not realisable: less than one element per peer in {len(thin)} all_to_all forecasts "
        f"({worst.message_bytes} bytes over {worst.ranks} ranks: {per_peer:.3g} bytes); "
        "formula only"
    )
    return (note,)
