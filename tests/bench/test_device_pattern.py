"""Filling and checking on a device, by an array module that is as strict as CuPy.

Its arrays refuse to become NumPy's, know no dtype that CuPy lacks, and mix with scalars only; what
comes back to the host is one number at a time. So the code runs on CuPy and leaves buffers there.
"""

from __future__ import annotations

import operator
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from collcast.bench import pattern
from collcast.bench.case import BYTES_PER_ELEMENT, COLLECTIVES, OPERATIONS, PAIRS, SIZELESS, Case

FUNCTIONS = ("where", "searchsorted", "abs", "rint", "minimum", "arange", "zeros")
SCALARS = ("uint8", "uint16", "uint32", "uint64", "int64", "float32", "float64")
DTYPES = {"?", "b", "B", "h", "H", "i", "I", "l", "L", "e", "f", "d"}  # CuPy's, complex left out


class Array:
    """A NumPy array that behaves as CuPy's does."""

    __array_ufunc__ = None  # NumPy scalars on the left leave the operation to us, as with CuPy

    def __init__(self, held: Any) -> None:
        assert held.dtype.char in DTYPES, held.dtype
        self.held = held

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, key: Any) -> Array:
        return Array(self.held[inner(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        assert isinstance(value, Array)
        self.held[inner(key)] = value.held

    def __getattr__(self, name: str) -> Any:
        if name in {"any", "sum", "argmax", "max", "astype", "view"}:
            method = getattr(self.held, name)
            return lambda *given, **named: Array(np.asarray(method(*given, **named)))
        raise AttributeError(name)

    def __bool__(self) -> bool:
        return bool(self.scalar())

    def __int__(self) -> int:
        return int(self.scalar())

    def __float__(self) -> float:
        return float(self.scalar())

    def scalar(self) -> Any:
        assert self.held.ndim == 0, "a whole array left the device"
        return self.held

    def __invert__(self) -> Array:
        return Array(~self.held)


def inner(value: Any) -> Any:
    """What an operation works on; a NumPy array beside a device's is refused."""
    if isinstance(value, Array):
        return value.held
    assert not isinstance(value, np.ndarray), "a NumPy array among the device's"
    return value


def binary(name: str) -> tuple[Any, Any]:
    function = getattr(operator, name)
    return (
        lambda self, other: Array(np.asarray(function(self.held, inner(other)))),
        lambda self, other: Array(np.asarray(function(inner(other), self.held))),
    )


for each in ("add", "sub", "mul", "truediv", "floordiv", "mod", "rshift", "lshift", "and_", "xor"):
    forward, backward = binary(each)
    setattr(Array, f"__{each.rstrip('_')}__", forward)
    setattr(Array, f"__r{each.rstrip('_')}__", backward)
for each in ("eq", "ne", "lt", "gt", "le", "ge"):
    setattr(Array, f"__{each}__", binary(each)[0])


@pytest.fixture
def uploaded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A module named cupy; the sizes in elements of the host arrays that were sent to it."""
    sizes: list[int] = []
    module = ModuleType("cupy")

    def asarray(array: Any) -> Array:
        assert isinstance(array, np.ndarray)
        sizes.append(len(array))
        return Array(array)

    module.asarray = asarray  # type: ignore[attr-defined]
    for name in FUNCTIONS:
        function = getattr(np, name)
        setattr(
            module,
            name,
            lambda *given, function=function, **named: Array(
                np.asarray(function(*map(inner, given), **named))
            ),
        )
    for name in SCALARS:
        setattr(module, name, getattr(np, name))
    monkeypatch.setitem(sys.modules, "cupy", module)
    return sizes


RANKS, ELEMENTS = 3, 96


def case_of(collective: str, dtype: str, operation: str) -> Case:
    size = ELEMENTS * BYTES_PER_ELEMENT[dtype]
    counts = "zipf:1.2:0" if collective == "all_to_allv" else "uniform"
    return Case(
        collective=collective, message_bytes=size, dtype=dtype, operation=operation, counts=counts
    )


CASES = [
    *(
        case_of("all_reduce", dtype, operation)
        for dtype in BYTES_PER_ELEMENT
        for operation in OPERATIONS
    ),
    *(
        case_of(collective, dtype, "sum")
        for collective in COLLECTIVES
        if collective not in {"all_reduce", *SIZELESS, *PAIRS}
        for dtype in ("int8", "bfloat16", "float8_e4m3", "float64")
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{c.collective}-{c.dtype}-{c.operation}" for c in CASES]
)
def test_a_device_holds_the_same_bits_and_finds_the_same_faults(
    case: Case, uploaded: list[int]
) -> None:
    there, here = (np.zeros(ELEMENTS, case.storage_dtype) for _ in range(2))
    pattern.fill_send(case, 1, RANKS, 7, Array(there))
    pattern.fill_send(case, 1, RANKS, 7, here)
    assert there.tobytes() == here.tobytes()
    received, expected = (np.zeros(ELEMENTS // RANKS, case.storage_dtype) for _ in range(2))
    pattern.poison(case, 1, RANKS, 7, Array(received))
    pattern.poison(case, 1, RANKS, 7, expected)
    assert received.tobytes() == expected.tobytes()
    unsigned = f"u{case.element_bytes}"
    received.view(unsigned)[...] = ~received.view(unsigned)  # right everywhere
    assert pattern.verify(case, 1, RANKS, 7, Array(received)) == pattern.EXACT
    received.view(unsigned)[[5, 9]] ^= np.array(1 << 4, unsigned)
    found = pattern.verify(case, 1, RANKS, 7, Array(received))
    assert found == pattern.verify(case, 1, RANKS, 7, received)
    assert (found.wrong, found.first) == (2, 5)
    assert found.ulps >= 16
    assert max(uploaded, default=0) <= RANKS  # tables of ranks, never a buffer
