from typing import Any, Final, TypeAlias

_Buffer: TypeAlias = Any  # whatever has the buffer protocol; NumPy says so only from Python 3.12 on

BUILTINS: Final[dict[str, int]]
CLOCK_NAME: Final[str]
MAX_ARGUMENTS: Final[int]

_Described = tuple[int, int, tuple[int, ...], _Buffer | None, tuple[int, ...]]

def run_plan(
    steps: tuple[_Described, ...], start_ns: _Buffer, stop_ns: _Buffer, offset: int, batch: int, /
) -> tuple[int, int, int]: ...
def monotonic_ns() -> int: ...
def stamp(stamps_ns: _Buffer, /) -> None: ...
