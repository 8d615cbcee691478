"""Forecast: predictions sealed before the truth is known, and scored when it is.

A sealed forecast is JSON. Its digest is the SHA-256 of its canonical form: keys sorted, no spaces,
UTF-8. Who publishes the digest first can later show that nothing was changed since.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bench.errors import CaseError
from .dataset import SeriesKey
from .extrapolate import Extrapolator
from .fit import fit
from .prediction import statement
from .score import Score, score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .dataset import Dataset
    from .fabrics import Fabric

__all__ = ["Scored", "digest_of", "score_forecast", "seal", "series_of", "unseal"]

SCHEMA = 1
"""Version of a sealed forecast's shape."""

_KIND = "collcast forecast"
_KEY = ("collective", "transport", "algorithm", "protocol", "sync", "dtype", "placement", "memory")
_TIMES = ("time_us", "low50_us", "high50_us", "low90_us", "high90_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What became of a sealed forecast."""

    score: Score
    matched: int
    """Predictions whose place was measured later."""

    missing: int
    statuses: dict[str, int]
    """Of those matched."""


def seal(
    rows: Dataset,
    source: Mapping[str, str],
    ranks: Sequence[int],
    sizes: Sequence[int] | None = None,
    fabric: Fabric | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return forecasts of every series as values that JSON has.

    Parameters
    ----------
    rows
        What was measured.
    source
        What identifies the measurements, such as name and SHA-256 of the file.
    ranks, sizes
        Places; None takes the sizes that a series has.
    """
    found, entries = [], []
    for key, series in rows.series().items():
        own = list(sizes or sorted({row.message_bytes for row in series}))
        extrapolator = Extrapolator(fit=fit(key, series, seed=seed), fabric=fabric, seed=seed)
        predictions = extrapolator.predict(ranks, own)
        found += predictions
        entries += [
            asdict(p) | {"system": key.system, "assumed_tiers": list(p.assumed_tiers)}
            for p in predictions
        ]
    return {
        "kind": _KIND,
        "schema": SCHEMA,
        "source": dict(source),
        "seed": seed,
        "versions": {name: version(name) for name in ("collcast", "numpy", "scipy")},
        "statement": statement(found, fabric),
        "predictions": entries,
    }


def digest_of(sealed: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a forecast's canonical form, in hexadecimal digits."""
    text = json.dumps(sealed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def unseal(text: str, name: str) -> dict[str, Any]:
    """Return a sealed forecast from its text.

    Raises
    ------
    CaseError
        If it is none, or of another schema.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CaseError(f"{name}: no JSON: {error}") from error
    if not isinstance(found, dict) or found.get("kind") != _KIND:
        raise CaseError(f"{name}: found no sealed forecast, expected kind {_KIND!r}")
    if found.get("schema") != SCHEMA:
        raise CaseError(f"{name}: found schema {found.get('schema')!r}, expected {SCHEMA}")
    return found


def series_of(sealed: Mapping[str, Any]) -> list[str]:
    """Return the names of the series that a forecast is about."""
    names = (*_KEY, "system")
    return list(
        dict.fromkeys(
            " ".join(str(p[name]) for name in names if p[name]) for p in sealed["predictions"]
        )
    )


def score_forecast(sealed: Mapping[str, Any], rows: Dataset) -> Scored:
    """Score a sealed forecast against what was measured later."""
    later = {
        (row.key.system, *_named(row.key), row.ranks, row.message_bytes): row
        for row in rows
        if row.fit_for_fitting
    }
    true, times, names, clusters, statuses = [], [], [], [], dict[str, int]()
    missing = 0
    for p in sealed["predictions"]:
        place = (p["system"], *(p[name] for name in _KEY), p["ranks"], p["message_bytes"])
        row = later.get(place)
        if row is None or p["status"] == "measured":
            missing += row is None
            continue
        true.append(row.median_s)
        times.append([np.nan if p[name] is None else 1e-6 * p[name] for name in _TIMES])
        names.append(str(row.key))
        clusters.append(f"{row.key.system} {row.key.collective}")
        statuses[p["status"]] = statuses.get(p["status"], 0) + 1
    return Scored(
        score=score(np.array(true), np.array(times).reshape(-1, 5), names, clusters),
        matched=len(true),
        missing=missing,
        statuses=statuses,
    )


def _named(key: SeriesKey) -> tuple[str, ...]:
    return tuple(getattr(key, "choice" if name == "algorithm" else name) for name in _KEY)
