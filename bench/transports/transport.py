"""What the measuring code needs of a transport, with what most of them need no more than."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ..arrangement import Arrangement, plain

if TYPE_CHECKING:
    from ...native import Step
    from ..buffers import Buffers
    from ..case import Case
    from ..protocol import Protocol

__all__ = ["Transport"]


class Transport(ABC):
    """A way through which ranks communicate: it turns a case into steps, and runs none itself.

    As it stands for one whose calls return when they are done and leave nothing behind. One whose
    calls only queue work says how that is timed, why it cannot end, and how it is ended.
    """

    name: str

    @abstractmethod
    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return the steps of one operation, groups ``timed`` and ``complete``."""

    @abstractmethod
    def describe(self, code: int, function: int = 0) -> str:
        """Return the library's text for an error code that a function, by address, returned."""

    def arrange(self, operation: tuple[Step, ...], protocol: Protocol) -> Arrangement:
        """Return how an operation is timed."""
        return plain(operation, protocol)

    def failure(self) -> str:
        """Return why what is queued cannot end, such as a rank that died; "" if it can."""
        return ""

    def abort(self) -> None:  # noqa: B027  (most leave nothing behind)
        """End what is queued, whatever it waits for."""

    def close(self) -> None:  # noqa: B027
        """Give back what this holds; collective."""
