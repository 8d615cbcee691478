"""Views of ``collcast show`` on what disturbs: noise of the machine, load on the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...bench.errors import CaseError
from ...bench.units import format_bytes
from .output import plain, print_csv, print_json, print_table

if TYPE_CHECKING:
    from ...bench.sample import Campaign
    from ..impact import Factor, Impact
    from ..noise import Noise

__all__ = ["DISTURBANCES", "IMPACT_COLUMNS", "NOISE_COLUMNS", "print_impact", "print_noise"]

IMPACT_COLUMNS = (
    "collective", "transport", "algorithm", "protocol", "sync", "statistic", "dtype", "ranks",
    "message_bytes", "load", "load_gb_per_s", "quiet_us", "loaded_us", "factor", "factor_low",
    "factor_high", "p99_factor", "p99_low", "p99_high", "oversubscribed",
)  # fmt: skip
"""Columns of ``show --view impact``."""

NOISE_COLUMNS = (
    "launch", "ranks", "rank", "host", "quantum_us", "observed_s", "detours", "detours_per_s",
    "median_us", "largest_us", "lost_percent", "period_ms", "period_length_us", "period_detours",
)  # fmt: skip
"""Columns of ``show --view noise``; period_length_us: median length of that period's detours."""


def print_impact(campaign: Campaign, form: str) -> None:
    """Print how much slower every case was under load than quiet.

    Raises
    ------
    CaseError
        If the file holds no case both quiet and loaded.
    """
    from ..impact import impacts

    found = impacts(campaign)
    if not found:
        raise CaseError(
            "--view impact: found no case both quiet and loaded, expected one; --aggressor "
            "measures both, beside --concurrent run the same without it (--append)"
        )
    if form == "csv":
        print_csv(IMPACT_COLUMNS, [_impact_values(one) for one in found])
    elif form == "json":
        print_json({"rows": [_impact_values(one) for one in found]})
    else:
        _print_impact_tables(found)


def _impact_values(one: Impact) -> dict[str, Any]:
    key = one.key
    names = ("collective", "transport", "algorithm", "protocol", "sync", "statistic", "dtype")
    values = {name: getattr(key, name) for name in names} | {
        "ranks": one.ranks,
        "message_bytes": one.message_bytes,
        "load": key.load,
        "load_gb_per_s": one.load_bytes_per_s * 1e-9 or None,
        "quiet_us": one.quiet_s * 1e6,
        "loaded_us": one.loaded_s * 1e6,
        "oversubscribed": one.oversubscribed,
    }
    for name, factor in (("factor", one.median), ("p99_factor", one.tail)):
        prefix = name.removesuffix("_factor")
        values |= {name: factor.value, f"{prefix}_low": factor.low, f"{prefix}_high": factor.high}
    return {name: plain(values[name]) for name in IMPACT_COLUMNS}


def _print_impact_tables(found: list[Impact]) -> None:
    heading = (
        "ranks", "bytes", "quiet us", "loaded us", "factor at median", "factor at 99 %",
        "load GB/s", "notes",
    )  # fmt: skip
    tables: dict[str, list[list[str]]] = {}
    for one in found:
        rate = f"{one.load_bytes_per_s * 1e-9:.3g}" if one.load_bytes_per_s else ""
        title = f"{one.key} ({one.key.statistic})"
        tables.setdefault(title, []).append(
            [
                str(one.ranks), format_bytes(one.message_bytes), f"{one.quiet_s * 1e6:#.4g}",
                f"{one.loaded_s * 1e6:#.4g}", _factor(one.median), _factor(one.tail), rate,
                "oversubscribed" if one.oversubscribed else "",
            ]
        )  # fmt: skip
    for title, lines in sorted(tables.items()):
        print_table(title, heading, lines)


def _factor(factor: Factor) -> str:
    if factor.value != factor.value:
        return "too few samples"
    return f"{factor.value:.2f} [{factor.low:.2f}, {factor.high:.2f}]"


def print_noise(campaign: Campaign, form: str) -> None:
    """Print the detours of every rank.

    Raises
    ------
    CaseError
        If the file holds no noise.
    """
    from ..noise import noises

    rows, titles = [], []
    for measurement, ranks in noises(campaign):
        hosts = campaign.location_of(measurement).host
        for noise in ranks:
            host = hosts[noise.rank] if noise.rank < len(hosts) else ""
            rows.append(_noise_values(noise, measurement.launch, measurement.ranks, host))
            titles.append(
                f"noise, {measurement.ranks} ranks, launch {measurement.launch}, "
                f"{measurement.case.algorithm.partition(':')[2]} of work"
            )
    if not rows:
        raise CaseError(
            "--view noise: found no noise, expected some; measure with 'collcast run noise'"
        )
    if form == "csv":
        print_csv(NOISE_COLUMNS, rows)
    elif form == "json":
        print_json({"rows": rows})
    else:
        _print_noise_tables(titles, rows)


def _noise_values(noise: Noise, launch: int, ranks: int, host: str) -> dict[str, Any]:
    period = noise.period
    values = {
        "launch": launch,
        "ranks": ranks,
        "rank": noise.rank,
        "host": host,
        "quantum_us": noise.quantum_s * 1e6,
        "observed_s": noise.observed_s,
        "detours": len(noise.at_s),
        "detours_per_s": noise.per_second,
        "median_us": noise.median_s * 1e6,
        "largest_us": noise.largest_s * 1e6,
        "lost_percent": noise.lost * 100,
        "period_ms": period.period_s * 1e3 if period else None,
        "period_length_us": period.length_s * 1e6 if period else None,
        "period_detours": period.detours if period else None,
    }
    return {name: plain(values[name]) for name in NOISE_COLUMNS}


def _print_noise_tables(titles: list[str], rows: list[dict[str, Any]]) -> None:
    heading = (
        "rank", "host", "quantum us", "detours/s", "median us", "largest us", "lost in %",
        "notes",
    )  # fmt: skip
    tables: dict[str, list[list[str]]] = {}
    for title, row in zip(titles, rows, strict=True):
        numbers = ("quantum_us", "detours_per_s", "median_us", "largest_us", "lost_percent")
        note = ""
        if row["period_ms"] is not None:
            note = f"every {row['period_ms']:.4g} ms one of {row['period_length_us']:.4g} us"
        tables.setdefault(title, []).append(
            [str(row["rank"]), row["host"], *(f"{row[name]:#.4g}" for name in numbers), note]
        )
    for title, lines in tables.items():
        print_table(title, heading, lines)


DISTURBANCES = {"impact": print_impact, "noise": print_noise}
"""Views by name: (campaign, form) -> None."""
