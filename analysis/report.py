"""Report: one HTML page with picture, tables, fits, forecast, provenance; nothing outside it."""

from __future__ import annotations

import math
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bench.case import BYTES_PER_ELEMENT
from ..bench.units import format_bytes, format_seconds
from . import plot
from .extrapolate import Extrapolator
from .fabrics.check import rests_on_assumption
from .prediction import notes, statement
from .provenance import describe_launches, machine_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..bench.sample import Campaign
    from .fabrics import Fabric
    from .fit import Fit
    from .prediction import Prediction

__all__ = ["render"]

_TEMPLATE = Path(__file__).parent / "report.html"
FORECAST_SIZES = (8, 1 << 20, 1 << 30)
"""Message sizes of the forecast table, in bytes."""


@dataclass(frozen=True, slots=True)
class _Forecast:
    statement: str
    notes: tuple[str, ...]
    predictions: tuple[Prediction, ...]


def render(campaign: Campaign, fits: Sequence[Fit], fabric: Fabric | None, title: str) -> str:
    """Return the page as HTML text."""
    from jinja2 import Environment, StrictUndefined

    # Whatever a file holds (host names, commands, labels) is text, never markup.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"bytes": format_bytes, "seconds": _seconds, "us": _microseconds}
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=title,
        machine=machine_line(campaign),
        picture=_picture(campaign, fits, fabric),
        fits=fits,
        fabric=fabric,
        figures=_figures(fabric),
        forecast=_forecast(fits, fabric),
        launches=describe_launches(campaign),
        busbw=_busbw,
    )


def _picture(campaign: Campaign, fits: Sequence[Fit], fabric: Fabric | None) -> str:
    """Return the picture as a data URI."""
    image = BytesIO()
    plot.save(plot.draw(fits, fabric, machine_line(campaign)), image, ".png")
    return "data:image/png;base64," + b64encode(image.getvalue()).decode("ascii")


def _forecast(fits: Sequence[Fit], fabric: Fabric | None) -> _Forecast | None:
    if fabric is None:
        return None
    ranks = int(min(plot.FORECAST_TO_RANKS, fabric.endpoints.value))
    found: list[Prediction] = []
    lines: list[str] = []
    for series in fits:
        own = Extrapolator(fit=series, fabric=fabric).predict([ranks], FORECAST_SIZES)
        found += own
        lines += notes(own, BYTES_PER_ELEMENT.get(series.key.dtype, 1))
    return _Forecast(statement(found, fabric), tuple(lines), tuple(found))


def _figures(fabric: Fabric | None) -> list[dict[str, Any]]:
    if fabric is None:
        return []
    figures = fabric.figures()
    return [
        {"name": name, "figure": figure, "assumed": rests_on_assumption(name, figures)}
        for name, figure in figures.items()
    ]


def _busbw(collective: str, ranks: int, message_bytes: int, median_s: float) -> str:
    from .summary import algbw_bytes_per_s, busbw_factor

    rate = algbw_bytes_per_s(message_bytes, median_s) * busbw_factor(collective, ranks)
    return "" if math.isnan(rate) else f"{rate * 1e-9:.3g}"


def _seconds(value_s: float) -> str:
    """Write a time; nothing where it is not known."""
    return "" if math.isnan(value_s) else format_seconds(value_s)


def _microseconds(value_us: float | None) -> str:
    return "" if value_us is None else format_seconds(value_us * 1e-6)
