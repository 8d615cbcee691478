"""Counters of this node's network, as the kernel shows them in files.

    /sys/class/infiniband/*/ports/*/counters, hw_counters    InfiniBand and RoCE
    /sys/class/net/*/statistics                              Ethernet, devices that are no software
    /sys/class/cxi/*/device/telemetry                        Slingshot: pauses, ECN, retries, drops
    /proc/net/snmp, /proc/net/netstat                        TCP: retransmits, disorder, ECN marks

A file holds one whole number (CXI: ``number@time``). What cannot be read is left out. Files are
found once per launch and read before and after a case; a hundred take about a millisecond.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Counters", "rises"]

_SETTINGS = {"lifespan"}  # among hw_counters: how long the driver caches them
_CXI = re.compile(r"pause|ecn|retry|retries|nack|timeout|discard|drop", re.ASCII)
_TCP = {
    "Tcp": ("RetransSegs",),
    "TcpExt": ("TCPTimeouts", "TCPOFOQueue", "TCPLostRetransmit"),
    "IpExt": ("InCEPkts",),
}
"""Which of the kernel's protocol counters speak of congestion."""


class Counters:
    """The counters of the node whose file system is under `root`."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._files = dict(_find(root))
        self._tables = [root / "proc/net/snmp", root / "proc/net/netstat"]

    def read(self) -> dict[str, int]:
        """Return every counter by name: device, port and file, such as mlx5_0/1/rx_discards."""
        found = {}
        for name, path in self._files.items():
            value = _number(path)
            if value is not None:
                found[name] = value
        for path in self._tables:
            found |= _table(path)
        return found


def rises(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return by how much counters rose; one that fell was reset, and says nothing.

    >>> rises({"a": 1, "b": 5, "c": 7}, {"a": 3, "b": 5, "c": 0})
    {'a': 2}
    """
    rose = {name: value - before.get(name, value) for name, value in after.items()}
    return {name: rise for name, rise in rose.items() if rise > 0}


def _find(root: Path) -> list[tuple[str, Path]]:
    found = []
    for folder in ("counters", "hw_counters"):
        for path in sorted(root.glob(f"sys/class/infiniband/*/ports/*/{folder}/*")):
            device, port = path.parents[3].name, path.parents[1].name
            if path.name not in _SETTINGS:
                found.append((f"{device}/{port}/{path.name}", path))
    for path in sorted(root.glob("sys/class/net/*/statistics/*")):
        interface = path.parents[1]
        if (interface / "device").exists():  # bridges, tunnels and loopback have none
            found.append((f"{interface.name}/{path.name}", path))
    return found + [
        (f"{path.parents[2].name}/{path.name}", path)
        for path in sorted(root.glob("sys/class/cxi/*/device/telemetry/*"))
        if _CXI.search(path.name)
    ]


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").partition("@")[0].strip()
        return int(text)
    except (OSError, ValueError):
        return None


def _table(path: Path) -> dict[str, int]:
    """Counters of a file in which a line of names is followed by a line of values."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return {}
    found = {}
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        protocol, _, rest = names.partition(":")
        columns = dict(zip(rest.split(), values.partition(":")[2].split(), strict=False))
        for name in _TCP.get(protocol, ()):
            if columns.get(name, "").isdigit():
                found[f"tcp/{name}"] = int(columns[name])
    return found
