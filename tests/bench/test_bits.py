"""Bits of the dtypes that NumPy lacks, against ml_dtypes; distances, against counting."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.bench.bits import encode, ulps

ml_dtypes = pytest.importorskip("ml_dtypes")
NARROW = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}


@pytest.mark.parametrize("dtype", sorted(NARROW))
def test_numbers_round_to_the_nearest_even_as_elsewhere(dtype: str) -> None:
    """Every finite value, the middles between neighbours (ties), and just beside the middles."""
    kind = NARROW[dtype]
    bits = np.arange(1 << (8 * np.dtype(kind).itemsize - 1), dtype=f"u{np.dtype(kind).itemsize}")
    with np.errstate(invalid="ignore"):  # signalling NaN
        values = bits.view(kind).astype(np.float64)
    values = values[np.isfinite(values)]
    middles = (values[1:] + values[:-1]) / 2
    drawn = np.concatenate([values, middles, middles * (1 + 2**-20), middles * (1 - 2**-20)])
    expected = drawn.astype(np.float32).astype(kind).view(bits.dtype)
    assert np.array_equal(encode(drawn, dtype, np), expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64"])
def test_integers_wrap(dtype: str) -> None:
    assert (
        encode(np.array([300, -1]), dtype, np).tolist()
        == np.array([300, -1]).astype(dtype).tolist()
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_distance_counts_the_numbers_between(dtype: str) -> None:
    start = np.array([1.0, 0.0, -1.0, 65504.0 / 2], dtype)
    there = start
    for _ in range(5):
        there = np.nextafter(there, np.array(-np.inf, dtype))
    assert ulps(there, start, dtype, np).tolist() == [5, 5, 5, 5]
    assert ulps(start, there, dtype, np).tolist() == [5, 5, 5, 5]


def test_the_distance_of_far_integers_does_not_wrap() -> None:
    most, least = np.array([2**63 - 1]), np.array([-(2**63)])
    assert ulps(most, least, "int64", np).tolist() == [2.0**64 - 1]
    assert ulps(np.array([255], "u1"), np.array([1], "u1"), "uint8", np).tolist() == [254]
