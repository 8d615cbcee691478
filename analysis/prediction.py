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

from .fabrics.draw import FROM_DATA
from .outcome import SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .dataset import SeriesKey
    from .fabrics import Fabric
    from .outcome import Outcome, Times

__all__ = [
    "COLUMNS",
    "LARGEST_FACTOR",
    "STATUSES",
    "VALIDATED_FACTOR",
    "VALIDATED_RANKS",
    "Prediction",
    "notes",
    "predict_as",
    "statement",
]

STATUSES = ("measured", "extrapolated", "conditional", "unsupported")
"""What kind of statement a prediction is."""

LARGEST_PUBLISHED_RANKS = 2048
"""GPUs of the largest published tables of collective times over sizes: Alps, De Sensi et al., SC24.
No measured collective at 200,000 or more was found anywhere."""

VALIDATED_FACTOR = 32
"""Largest ratio of ranks to the largest fitted scale at which intervals were held to measurements
(docs/validation.md, holdout 32)."""

VALIDATED_RANKS = LARGEST_PUBLISHED_RANKS
"""Most ranks at which they were."""

_TOUCHED = 0.05
"""Share of draws below a physical bound from which it is the 90 % interval's end."""

LARGEST_FACTOR = 64
"""The same ratio beyond which nothing is called extrapolated: the largest validated, to the next
doubling; no machine grew further without another tier, another switch or another algorithm."""


_DIVIDED = frozenset({"all_to_all", "all_gather", "reduce_scatter", "gather", "scatter"})
"""Collectives of whose message every rank has a part."""


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

    given_time_us: float | None = None
    """Of a conditional forecast, time and ends of the intervals if every figure of the fabric is as
    declared, in microseconds: the others hold what is not known about it. None for all others."""

    given_low50_us: float | None = None

    given_high50_us: float | None = None
    given_low90_us: float | None = None
    given_high90_us: float | None = None
    share_parameters: float | None = None
    """Shares of the variance of log time, sum 1: of measured parameters, the fabric's assumed
    figures, what models leave out, the next launch, a median's iterations. None where measured."""

    share_fabric: float | None = None
    share_model: float | None = None
    share_launch: float | None = None
    share_iteration: float | None = None
    fastest: str = ""
    """Model that is fastest in most draws."""

    switch_probability: float | None = None
    """That another model was fastest, in the same draw, at the largest measured scale."""

    bound_us: float | None = None
    """Least time that physics allows; no interval goes below it."""

    bound: str = ""
    """Which: ``latency`` or ``bandwidth``."""

    clipped: float | None = None
    """Share of the draws that lay below the bound and were raised to it."""

    factor: float | None = None
    """Ranks over the largest measured scale."""

    validated: bool = False
    """Whether intervals were ever held to measurements so far out; see `VALIDATED_FACTOR`."""


COLUMNS = tuple(field.name for field in fields(Prediction))
"""Names of a prediction's fields, in order."""


def predict_as(
    status: str,
    key: SeriesKey,
    ranks: int,
    message_bytes: int,
    measured: int,
    found: Outcome | None = None,
    *,
    times_s: Times | None = None,
    fabric: str = "",
    assumed_tiers: tuple[str, ...] = (),
) -> Prediction:
    """Return a prediction, times in seconds turned into microseconds.

    Parameters
    ----------
    measured
        Largest measured scale; 0 for none.
    found
        What was forecast; None where nothing was.
    times_s
        What was measured, in place of a forecast.
    """
    named: dict[str, Any] = {name: getattr(key, name) for name in COLUMNS[:8]}
    named["algorithm"] = key.choice
    middle = found.times_s if found else times_s
    named |= zip(COLUMNS[11:16], _us(middle), strict=True)
    if found is not None:
        named |= zip(COLUMNS[18:23], _us(found.given_s), strict=True)
        named |= {f"share_{name}": found.shares.get(name) for name in SOURCES}
        named |= {
            "fastest": found.fastest,
            "switch_probability": found.switch,
            "bound_us": 1e6 * found.bound_s,
            "bound": found.bound,
            "clipped": found.clipped,
        }
    near = ranks <= measured or ranks <= min(VALIDATED_FACTOR * measured, VALIDATED_RANKS)
    return Prediction(
        **named,
        fabric=fabric,
        ranks=ranks,
        message_bytes=message_bytes,
        status=status,
        assumed_tiers=assumed_tiers,
        factor=ranks / measured if measured else None,
        validated=status == "measured" or (status == "extrapolated" and near),
    )


def _us(times_s: Times | None) -> tuple[float | None, ...]:
    return (None,) * 5 if times_s is None else tuple(1e6 * value for value in times_s)


def statement(predictions: Sequence[Prediction], fabric: Fabric | None) -> str:
    """Return the line that says what kind of statement the predictions are."""
    counts = {status: sum(p.status == status for p in predictions) for status in STATUSES}
    kinds = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    conditional = [p for p in predictions if p.status == "conditional"]
    if not conditional or fabric is None:
        return f"Of {len(predictions)} predictions: {kinds}."
    tiers = ", ".join(dict.fromkeys(tier for p in conditional for tier in p.assumed_tiers))
    most = max(p.ranks for p in conditional)
    known = [name for name, figure in fabric.figures().items() if figure.status in FROM_DATA]
    line = (
        f"Conditional forecast: {len(known)} figures of {fabric.name} are from a campaign; the "
        f"others of its tiers ({tiers}) are as the fabric file says"
        if known
        else "Conditional forecast: nothing of the network was measured; every tier "
        f"({tiers}) is as the fabric file {fabric.name} says"
    )
    if most > LARGEST_PUBLISHED_RANKS:
        factor = most / LARGEST_PUBLISHED_RANKS
        line += f"; {most:,} ranks are about {factor:.0f} times any published GPU measurement"
    return f"{line}. Of {len(predictions)} predictions: {kinds}."


def notes(predictions: Sequence[Prediction], element_bytes: int) -> tuple[str, ...]:
    """Return what a reader must know besides: one line each."""
    return tuple(
        line
        for line in (
            _thin(predictions, element_bytes),
            _without(predictions),
            _far(predictions),
            _bounded(predictions),
        )
        if line
    )


def _thin(predictions: Sequence[Prediction], element_bytes: int) -> str:
    """Say which forecasts no call could have."""
    thin = [
        p
        for p in predictions
        if p.collective in _DIVIDED
        and p.status in {"extrapolated", "conditional"}
        and p.message_bytes < p.ranks * element_bytes
    ]
    if not thin:
        return ""
    worst = min(thin, key=lambda p: p.message_bytes / p.ranks)
    per_peer = worst.message_bytes / worst.ranks
    return (
        f"not realisable: less than one element per peer in {len(thin)} {worst.collective} "
        f"forecasts "
        f"({worst.message_bytes} bytes over {worst.ranks} ranks: {per_peer:.3g} bytes); "
        "formula only"
    )


def _without(predictions: Sequence[Prediction]) -> str:
    """Say which forecasts have no number, and what would give one."""
    without = [p for p in predictions if p.time_us is None]
    if not without:
        return ""
    most = max(without, key=lambda p: p.ranks)
    factor = _beyond(most)
    return (
        f"no number: {len(without)} of {len(predictions)} forecasts of {most.collective}, up to "
        f"{most.ranks:,} ranks{factor}, where no interval was ever checked; a number needs a fit, "
        "and beyond the tiers that were measured a --fabric or measurements across them"
    )


def _beyond(p: Prediction) -> str:
    if p.factor is None or p.factor <= 1:
        return ""
    times = f"{p.factor:,.0f}" if p.factor >= 10 else f"{p.factor:.2g}"
    return f", {times} times the largest measured scale"


def _far(predictions: Sequence[Prediction]) -> str:
    """Say which intervals were never held to a measurement so far out."""
    far = [p for p in predictions if p.time_us is not None and not p.validated]
    if not far:
        return ""
    most = max(far, key=lambda p: p.ranks)
    factor = _beyond(most)
    return (
        f"not validated: {len(far)} of {len(predictions)} intervals of {most.collective} lie where "
        f"none was ever checked (that was to x{VALIDATED_FACTOR} of the fitted scales, "
        f"{VALIDATED_RANKS:,} ranks, no assumed tier); the furthest at {most.ranks:,} ranks{factor}"
    )


def _bounded(predictions: Sequence[Prediction]) -> str:
    """Say where physics cut draws off."""
    bound = [p for p in predictions if (p.clipped or 0.0) >= _TOUCHED]
    if not bound:
        return ""
    worst = max(bound, key=lambda p: p.clipped or 0.0)
    return (
        f"physical bound: it cuts the interval of {len(bound)} of {len(predictions)} forecasts of "
        f"{worst.collective}, most at {worst.ranks:,} ranks and {worst.message_bytes} bytes, where "
        f"{100 * (worst.clipped or 0.0):.0f} % of draws lay below {worst.bound_us:.4g} us "
        f"({worst.bound})"
    )
