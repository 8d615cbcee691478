"""Sizes, times and rates, read and written.

Message sizes are powers of 1024 (K, M, G, as in nccl-tests); rates are powers of 1000 (GB/s = 1e9
bytes per second).
"""

from __future__ import annotations

import re

from .errors import UnitError

__all__ = ["format_bytes", "format_seconds", "parse_bytes", "parse_seconds", "parse_sizes"]

_BYTE_SUFFIX = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_BYTES = re.compile(r"([0-9]{1,40})\s*(?:([KMGT])(?:i?B)?|B)?", re.IGNORECASE)
_TIME_SUFFIX = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SECONDS = re.compile(r"([0-9]{1,40}(?:\.[0-9]*)?|\.[0-9]+)\s*(s|ms|us|ns)", re.IGNORECASE)
_LARGEST_BYTES = 1 << 50  # 1 PiB: no buffer of one rank is larger; more is a typing error


def parse_bytes(text: str) -> int:
    """Return a size in bytes from ``8``, ``64K``, ``4MiB`` or ``1G`` (powers of 1024).

    >>> parse_bytes("64K"), parse_bytes("8")
    (65536, 8)

    Raises
    ------
    UnitError
        If the text is no size.
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise UnitError(f"size: found {text!r}, expected a number with K, M, G or T, such as 64K")
    value: int = int(match[1]) * 1024 ** _BYTE_SUFFIX[(match[2] or "").upper()]
    if value > _LARGEST_BYTES:
        raise UnitError(f"size: found {text!r}, expected at most {format_bytes(_LARGEST_BYTES)}")
    return value


def format_bytes(value: int) -> str:
    """Return the shortest exact text of a size in bytes.

    >>> format_bytes(65536), format_bytes(1000)
    ('64K', '1000')
    """
    for suffix in "TGMK":
        unit = int(1024 ** _BYTE_SUFFIX[suffix])
        if value >= unit and value % unit == 0:
            return f"{value // unit}{suffix}"
    return str(value)


def parse_seconds(text: str) -> float:
    """Return seconds from ``50us``, ``1.5ms``, ``10s`` or ``800ns``.

    >>> parse_seconds("1.5ms")
    0.0015

    Raises
    ------
    UnitError
        If the text is no time, or its unit is missing.
    """
    match = _SECONDS.fullmatch(text.strip())
    if match is None:
        raise UnitError(f"time: found {text!r}, expected a number with s, ms, us or ns")
    return float(match[1]) * _TIME_SUFFIX[match[2].lower()]


def format_seconds(value_s: float) -> str:
    """Return a time with three significant digits and the unit that fits.

    >>> format_seconds(1.3e-6), format_seconds(0.25)
    ('1.30 us', '250 ms')
    """
    for suffix, unit in _TIME_SUFFIX.items():
        if abs(value_s) >= 0.9995 * unit or suffix == "ns":
            scaled = value_s / unit
            decimals = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
            return f"{scaled:.{decimals}f} {suffix}"
    raise AssertionError("unreachable: ns matches everything")


def parse_sizes(text: str) -> tuple[int, ...]:
    """Return the sizes in bytes that a range or list names, in the order given.

    ``8:4M`` runs from 8 B to 4 MiB inclusive by factors of 2, ``8:1G:x4`` by another factor,
    ``1M,4M`` is a list; lists may hold ranges.

    >>> parse_sizes("8:64"), parse_sizes("1K,4K")
    ((8, 16, 32, 64), (1024, 4096))

    Raises
    ------
    UnitError
        If a part is no size, a range runs backwards, or a size is given twice.
    """
    sizes: list[int] = []
    for part in text.split(","):
        sizes.extend(_parse_range(part) if ":" in part else [parse_bytes(part)])
    if len(set(sizes)) != len(sizes):
        raise UnitError(f"sizes: found {text!r} with a size given twice, expected each size once")
    return tuple(sizes)


def _parse_range(text: str) -> list[int]:
    fields = text.split(":")
    if len(fields) not in {2, 3}:
        raise UnitError(f"sizes: found {text!r}, expected FIRST:LAST or FIRST:LAST:xFACTOR")
    first, last = parse_bytes(fields[0]), parse_bytes(fields[1])
    factor = 2
    if len(fields) == 3:
        match = re.fullmatch(r"x([0-9]{1,6})", fields[2].strip())
        if match is None or int(match[1]) < 2:
            raise UnitError(f"sizes: found factor {fields[2]!r}, expected xN with N >= 2")
        factor = int(match[1])
    if first < 1 or last < first:
        raise UnitError(f"sizes: found range {text!r}, expected 1 <= FIRST <= LAST")
    sizes = [first]
    while sizes[-1] * factor <= last:
        sizes.append(sizes[-1] * factor)
    return sizes
