"""Sizes and times: what is written can be read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collcast.bench.errors import CollcastError, UnitError
from collcast.bench.units import (
    format_bytes,
    format_seconds,
    parse_bytes,
    parse_seconds,
    parse_sizes,
)


@given(st.integers(0, 1 << 50))
def test_every_size_survives_formatting(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == size


@given(st.floats(1e-9, 1e4))
def test_times_keep_two_digits_after_formatting(time_s: float) -> None:
    assert parse_seconds(format_seconds(time_s)) == pytest.approx(time_s, rel=0.01, abs=5e-12)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    try:
        size = parse_bytes(text)
    except UnitError:
        return
    assert size == parse_bytes(format_bytes(size))


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("8:64", (8, 16, 32, 64)),
        ("8:100", (8, 16, 32, 64)),
        ("8:1K:x4", (8, 32, 128, 512)),
        ("1M,4M", (1 << 20, 1 << 22)),
        ("3, 8:16", (3, 8, 16)),
        ("7:7", (7,)),
        ("4MiB", (1 << 22,)),
        ("2gb", (2 << 30,)),
    ],
)
def test_ranges_are_inclusive_and_lists_keep_their_order(text: str, sizes: tuple[int, ...]) -> None:
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize(
    "text",
    ["", "8:", ":8", "16:8", "8:64:4", "8:64:x1", "8:64:x", "0:8", "8,8", "-8", "1.5K", "8:64:x2:3",
     "9" * 30, "9" * 5000, "²", "٣"],
)  # fmt: skip
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_sizes(text)


@pytest.mark.parametrize("text", ["", "5", "us", "5 h", "-1s", "1e-3s", "9" * 400 + "s"])
def test_times_need_a_unit(text: str) -> None:
    with pytest.raises(UnitError, match="expected"):
        parse_seconds(text)


def test_errors_are_also_builtins() -> None:
    assert issubclass(UnitError, ValueError)
    assert issubclass(UnitError, CollcastError)
