from typing import Final

from typing_extensions import Buffer

BUILTINS: Final[dict[str, int]]
CLOCK_NAME: Final[str]
MAX_ARGUMENTS: Final[int]

_Described = tuple[int, int, tuple[int, ...], Buffer | None, tuple[int, ...]]

def run_plan(
    steps: tuple[_Described, ...], start_ns: Buffer, stop_ns: Buffer, offset: int, batch: int, /
) -> tuple[int, int, int]: ...
def monotonic_ns() -> int: ...
def stamp(stamps_ns: Buffer, /) -> None: ...
