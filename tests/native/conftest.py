"""Functions to call from plans, compiled on the spot."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = """
#include <stdint.h>
int64_t calls[64]; int64_t seen[64][13]; int64_t count; int64_t fail_at = -1; int fail_code;
static int note(int n, const int64_t *a) {
  int64_t i = count++;
  if (i < 64) { calls[i] = n; for (int k = 0; k < n; k++) seen[i][k] = a[k]; }
  return i == fail_at ? fail_code : 0;
}
int f0(void) { return note(0, 0); }
int f1(int64_t a) { int64_t w[] = {a}; return note(1, w); }
int f2(int64_t a, int64_t b) { int64_t w[] = {a, b}; return note(2, w); }
int f3(int64_t a, int64_t b, int64_t c) { int64_t w[] = {a, b, c}; return note(3, w); }
#define T int64_t
int f4(T a, T b, T c, T d) { T w[] = {a, b, c, d}; return note(4, w); }
int f5(T a, T b, T c, T d, T e) { T w[] = {a, b, c, d, e}; return note(5, w); }
int f6(T a, T b, T c, T d, T e, T f) { T w[] = {a, b, c, d, e, f}; return note(6, w); }
int f7(T a, T b, T c, T d, T e, T f, T g) { T w[] = {a, b, c, d, e, f, g}; return note(7, w); }
int f8(T a, T b, T c, T d, T e, T f, T g, T h) {
  T w[] = {a, b, c, d, e, f, g, h}; return note(8, w); }
int f9(T a, T b, T c, T d, T e, T f, T g, T h, T i) {
  T w[] = {a, b, c, d, e, f, g, h, i}; return note(9, w); }
int f10(T a, T b, T c, T d, T e, T f, T g, T h, T i, T j) {
  T w[] = {a, b, c, d, e, f, g, h, i, j}; return note(10, w); }
int f11(T a, T b, T c, T d, T e, T f, T g, T h, T i, T j, T k) {
  T w[] = {a, b, c, d, e, f, g, h, i, j, k}; return note(11, w); }
int f12(T a, T b, T c, T d, T e, T f, T g, T h, T i, T j, T k, T l) {
  T w[] = {a, b, c, d, e, f, g, h, i, j, k, l}; return note(12, w); }
"""


class Recorder:
    """A library whose functions f0 .. f12 note how they were called."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._calls = (ctypes.c_int64 * 64).in_dll(self._library, "calls")
        self._seen = (ctypes.c_int64 * 13 * 64).in_dll(self._library, "seen")
        self._count = ctypes.c_int64.in_dll(self._library, "count")
        self._count.value = 0
        ctypes.c_int64.in_dll(self._library, "fail_at").value = -1

    def address(self, arguments: int) -> int:
        function = getattr(self._library, f"f{arguments}")
        return ctypes.cast(function, ctypes.c_void_p).value

    def fail(self, at: int, code: int) -> None:
        ctypes.c_int64.in_dll(self._library, "fail_at").value = at
        ctypes.c_int.in_dll(self._library, "fail_code").value = code

    @property
    def calls(self) -> list[tuple[int, ...]]:
        """Arguments of the calls so far, in order."""
        return [tuple(self._seen[i][: self._calls[i]]) for i in range(self._count.value)]


@pytest.fixture
def recorder(compile_c: Callable[[str, str], Path]) -> Recorder:
    return Recorder(compile_c("recorder", SOURCE))
