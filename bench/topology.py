"""Where a host is: NVLink domain, leaf and pod, from a file, Slurm or the environment.

In this order: a topology file (CSV with the columns ``host,nvlink_domain,leaf,pod``), the
variables ``COLLCAST_NVLINK_DOMAIN``, ``COLLCAST_LEAF``, ``COLLCAST_POD`` (set from node labels,
such as Kubernetes' downward API gives), and ``SLURM_TOPOLOGY_ADDR`` (switches from the top down,
then the node, joined by dots).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import EnvironmentMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Place", "expect_hosts", "place_of", "read_topology"]

_MOST_NAMED = 4  # hosts in a refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Names of the tiers that a host belongs to; "" where unknown."""

    nvlink_domain: str = ""
    leaf: str = ""
    pod: str = ""


def read_topology(path: Path) -> dict[str, Place]:
    """Return host -> place from a CSV file.

    Raises
    ------
    EnvironmentMismatchError
        If the file cannot be read or has other columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
            columns = {"host", *Place.__dataclass_fields__}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EnvironmentMismatchError(f"topology: {path}: {error}") from error
    if not rows or "host" not in rows[0] or not set(rows[0]) <= columns:
        raise EnvironmentMismatchError(
            f"topology: {path}: found columns {', '.join(str(c) for c in (rows or [{}])[0])}, "
            "expected host and some of nvlink_domain, leaf, pod"
        )
    return {
        row["host"]: Place(**{name: row[name] or "" for name in columns - {"host"} if name in row})
        for row in rows
    }


def expect_hosts(places: Mapping[str, Place], hosts: Iterable[str], path: Path) -> None:
    """Refuse a file that says nothing about any of the hosts.

    Raises
    ------
    EnvironmentMismatchError
        Names some hosts.
    """
    names = sorted(hosts)
    if not set(names) & set(places):
        raise EnvironmentMismatchError(
            f"topology: {path}: found none of the hosts {', '.join(names[:_MOST_NAMED])}"
            f"{', ...' if len(names) > _MOST_NAMED else ''}, expected their names as hostname gives"
        )


def place_of(host: str, places: Mapping[str, Place], variables: Mapping[str, str]) -> Place:
    """Return where a host is, as far as anything says so.

    >>> place_of("n7", {}, {"SLURM_TOPOLOGY_ADDR": "core.pod1.leaf3.n7"})
    Place(nvlink_domain='', leaf='leaf3', pod='pod1')
    """
    if host in places:
        return places[host]
    switches = variables.get("SLURM_TOPOLOGY_ADDR", "").split(".")[:-1]
    return Place(
        nvlink_domain=variables.get("COLLCAST_NVLINK_DOMAIN", ""),
        leaf=variables.get("COLLCAST_LEAF", switches[-1] if switches else ""),
        pod=variables.get("COLLCAST_POD", switches[-2] if len(switches) > 1 else ""),
    )
