"""Numbers as bits of a dtype, also of those that NumPy and CuPy lack; distances in ulp.

Arrays hold bfloat16 and fp8 as unsigned integers, so everything here is integer arithmetic on whole
arrays, by NumPy on the host and by CuPy on the device. With m mantissa bits and bias b, x >= 0::

    x >= 2^(1-b)   bits(x) = rne(float32 bits of x / 2^(23-m)) - ((127 - b) << m)
    below          bits(x) = rne(x 2^(b-1+m))

(rne: to the nearest, ties to even; a mantissa that rounds up carries into the exponent, as it
must). Formats: bfloat16 8 + 7 bits; fp8 e4m3 (no infinity, largest 448) and e5m2 as in Micikevicius
et al., "FP8 Formats for Deep Learning", arXiv:2209.05433.

The distance of two numbers of one sign is that of their bits; of different signs, the sum of both
from 0. One step is one unit in the last place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .case import BYTES_PER_ELEMENT, STORAGE

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["FLOATS", "encode", "is_float", "ulps"]


class _Float(NamedTuple):
    precision: int
    """Bits of the significand, the hidden one included."""

    bias: int


FLOATS = {
    "float16": _Float(11, 15),
    "bfloat16": _Float(8, 127),
    "float32": _Float(24, 127),
    "float64": _Float(53, 1023),
    "float8_e4m3": _Float(4, 7),
    "float8_e5m2": _Float(3, 15),
}
"""Precision and exponent bias of the dtypes that are no integers."""


def is_float(dtype: str) -> bool:
    """Tell whether a dtype has a floating point."""
    return dtype in FLOATS


def encode(values: Any, dtype: str, xp: ModuleType) -> Any:
    """Return numbers >= 0 as an array of the case's storage dtype; integers of any sign wrap.

    Parameters
    ----------
    values : array of int64 or float64; within the range of a float dtype
    dtype : a key of `BYTES_PER_ELEMENT`
    xp : NumPy or CuPy, whichever made the array
    """
    if dtype not in STORAGE:
        return values.astype(dtype)
    precision, bias = FLOATS[dtype]
    mantissa = precision - 1
    single = values.astype(xp.float32)
    dropped = 23 - mantissa
    raw = single.view(xp.uint32).astype(xp.int64)
    odd = (raw >> dropped) & 1
    normal = ((raw + (1 << (dropped - 1)) - 1 + odd) >> dropped) - ((127 - bias) << mantissa)
    smallest = 2.0 ** (1 - bias)  # normal number
    small = xp.minimum(single.astype(xp.float64), smallest)
    tiny = xp.rint(small / smallest * (1 << mantissa)).astype(xp.int64)
    return xp.where(single < smallest, tiny, normal).astype(STORAGE[dtype])


def ulps(found: Any, expected: Any, dtype: str, xp: ModuleType) -> Any:
    """Return how far apart two arrays of the storage dtype are, element by element, float64.

    In units of the last place for floats (NaN counts by its bits), plain differences for integers.
    """
    if not is_float(dtype):
        left, right = found.astype(xp.int64), expected.astype(xp.int64)
        apart = xp.where(left > right, left - right, right - left)  # modulo 2^64: up to 2^64 - 1
        return apart.view(xp.uint64).astype(xp.float64)
    width = 8 * BYTES_PER_ELEMENT[dtype]
    raw = [array.view(f"u{width // 8}").astype(xp.uint64) for array in (found, expected)]
    negative = [(array >> xp.uint64(width - 1)) != 0 for array in raw]
    left, right = ((array & xp.uint64(2 ** (width - 1) - 1)).astype(xp.int64) for array in raw)
    alike = xp.abs(left - right).astype(xp.float64)
    across = left.astype(xp.float64) + right.astype(xp.float64)
    return xp.where(negative[0] == negative[1], alike, across)
