"""Remedy: the measurement that would tell apart a parameter which the cells of a fit cannot.

What could be measured is tried from cheap to dear: other sizes, numbers of ranks between powers of
two, ranks inside one host, another algorithm, messages between two ranks. The first that makes the
parameter's column more than a combination of earlier ones (`design.identify`), all cells taken
together, is named; so a remedy is never a guess. A parameter of which the cells show no trace gets
the end of the sizes that is missing, if one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..bench.units import format_bytes
from .design import design_of, identify
from .models import model_named, models_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .curve import Curve
    from .dataset import SeriesKey
    from .fit import Fit
    from .models import Model

__all__ = ["Remedy", "remedies_of"]

_SMALL_BYTES, _LARGE_BYTES = 8, 1 << 26
_LATENCY_BYTES = 1 << 10
"""Up to here a time is latency on any network: 1 KiB takes 0.1 us at 10 GB/s."""

_RATE_BYTES = 1 << 20  # and from here on mostly rate
_NCCL_NAMES = {"ring": "Ring", "double_tree": "Tree"}
_TINY_S = 1e-9  # no cell takes less; weights are relative to times


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to measure for one parameter."""

    parameter: str
    measure: str
    """In words; "nothing of what a series holds" where no candidate helps."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    measure: str
    ranks: tuple[int, ...]
    sizes: tuple[int, ...]
    model: Model | None = None
    """None where the series goes on as it is."""


def remedies_of(fit: Fit) -> tuple[Remedy, ...]:
    """Return one remedy per parameter that was not identified or left no trace."""
    curve = fit.curve
    if curve is None:
        return ()
    used = [row for row in fit.rows if row.fit_for_fitting and row.ranks in fit.scales]
    ranks = np.array([row.ranks for row in used])
    sizes = np.array([row.message_bytes for row in used])
    found = [
        Remedy(name, _first_that_helps(fit.key, curve, name, ranks, sizes))
        for name in curve.unidentified
    ]
    traceless = [parameter.name for parameter in curve.parameters if parameter.at_bound]
    ends = [Remedy(name, text) for name in traceless if (text := _missing_end(name, sizes))]
    return (*found, *ends)


def _first_that_helps(
    key: SeriesKey, curve: Curve, name: str, ranks: NDArray[np.int64], sizes: NDArray[np.int64]
) -> str:
    models = curve.candidates[curve.choice]
    known = design_of(models, ranks, sizes, curve.sizes)
    for candidate in _candidates(key, curve, ranks, sizes):
        more_ranks, more_sizes = (
            column.reshape(-1) for column in np.meshgrid(candidate.ranks, candidate.sizes)
        )
        forced = (candidate.model,) if candidate.model else models
        more = design_of(forced, more_ranks, more_sizes, curve.sizes)
        more = np.broadcast_to(more, (len(models), *more.shape[1:]))
        columns = np.concatenate([known, more], axis=1)
        time_s = np.maximum((columns @ curve.values).min(axis=0), _TINY_S)
        if name not in identify(columns, time_s, len(curve.sizes)).unidentified:
            return candidate.measure
    return "nothing of what a series holds"


def _candidates(
    key: SeriesKey, curve: Curve, ranks: NDArray[np.int64], sizes: NDArray[np.int64]
) -> Iterator[_Candidate]:
    scales, steps = _unique(ranks), _unique(sizes)
    least = _SMALL_BYTES if key.collective != "all_to_all" else 4 * max(scales)
    if min(steps) > least:
        yield _Candidate(f"{format_bytes(least)} B at the same ranks", scales, (least,))
    if max(steps) < _LARGE_BYTES:
        large = format_bytes(_LARGE_BYTES)
        yield _Candidate(f"{large}iB at the same ranks", scales, (_LARGE_BYTES,))
    between = tuple(3 * s // 4 for s in scales if s % 4 == 0 and 3 * s // 4 not in scales)
    if between:
        named = ", ".join(map(str, between))
        yield _Candidate(f"{named} ranks, between powers of two", between, steps)
    inside = tuple(p for p in (2, 3, 4, 6, 8) if len(curve.sizes) > 1 and p <= curve.sizes[0])
    if inside:
        named = ", ".join(map(str, inside))
        some = tuple(dict.fromkeys((least, *steps, _LARGE_BYTES)))
        yield _Candidate(f"{named} ranks on one host, {least} B to 64 MiB", inside, some)
    some = (least, _RATE_BYTES, _LARGE_BYTES)
    for model in _others(key, curve):
        yield _Candidate(_forced(key, model), scales, some, model)
    yield _Candidate(
        "send_recv on 2 ranks, 8 B to 64 MiB", (2,), (_SMALL_BYTES, _RATE_BYTES, _LARGE_BYTES),
        model_named("send_recv", "neighbour"),
    )  # fmt: skip


def _others(key: SeriesKey, curve: Curve) -> list[Model]:
    """Return models that the library can be made to follow, other than those it follows."""
    named = key.collective == "all_reduce" and _by_nccl(key)
    every = [model_named(key.collective, name) for name in _NCCL_NAMES] if named else []
    if not _by_nccl(key):
        every = list(models_of(key.collective, len(curve.sizes)))
    return [model for model in every if model not in curve.candidates[curve.choice]]


def _by_nccl(key: SeriesKey) -> bool:
    return "ccl" in key.transport  # NCCL, RCCL and what follows them


def _forced(key: SeriesKey, model: Model) -> str:
    if _by_nccl(key):
        return f"the same with NCCL_ALGO={_NCCL_NAMES[model.name]}, 8 B to 64 MiB"
    return f"the same with --algorithm {model.name}, 8 B to 64 MiB"


def _missing_end(name: str, sizes: NDArray[np.int64]) -> str:
    """Return which sizes would show a parameter that left no trace; "" if those are there."""
    latency = name.startswith(("overhead", "alpha"))
    if latency and sizes.min() > _LATENCY_BYTES:
        return f"sizes of at most {format_bytes(_LATENCY_BYTES)}iB"
    if not latency and sizes.max() < _RATE_BYTES:
        return f"sizes of at least {format_bytes(_RATE_BYTES)}iB"
    return ""


def _unique(values: Sequence[int] | NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(sorted({int(value) for value in values}))
