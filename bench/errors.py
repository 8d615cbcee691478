"""The errors of collcast: one base, each also the builtin that fits.

A message names the object, the field, what was found and what was expected, in one line:
``CaseError: case.message_bytes: found -8, expected a whole number of bytes >= 0``.
"""

from __future__ import annotations

__all__ = [
    "CaseError",
    "CollcastError",
    "DeviceMemoryError",
    "EnvironmentMismatchError",
    "FabricError",
    "ImportFormatError",
    "MeasurementError",
    "MissingExtraError",
    "SchemaTooNewError",
    "StoreError",
    "TransportError",
    "UnitError",
]


class CollcastError(Exception):
    """Base of all errors that collcast raises on purpose.

    ``exit_status`` is what the command line returns for it: 2 for a mistake in the input,
    1 for a measurement that failed.
    """

    exit_status = 2


class UnitError(CollcastError, ValueError):
    """A quantity that cannot be read, such as ``12 parsecs`` where a size is meant."""


class CaseError(CollcastError, ValueError):
    """A case or a protocol that cannot be measured as described."""


class FabricError(CollcastError, ValueError):
    """A fabric that cannot be built, or a figure of it without unit, source, status or date."""


class TransportError(CollcastError, RuntimeError):
    """A communication library is missing or cannot do what a case asks for."""


class ImportFormatError(CollcastError, ValueError):
    """A log or table that is of no known format, or does not say what a cell needs."""


class MeasurementError(CollcastError, RuntimeError):
    """A measurement that began and could not be finished."""

    exit_status = 1


class DeviceMemoryError(CollcastError, MemoryError):
    """A device, or memory pinned for it, has no room for a case; smaller cases may go on."""

    exit_status = 1

    def __init__(self, size_bytes: int, reason: str, what: str = "device memory for 2 x") -> None:
        super().__init__(f"buffers: no {what} {size_bytes} B ({reason})")


class EnvironmentMismatchError(CollcastError, RuntimeError):
    """Ranks, launches or files that do not belong together."""


class StoreError(CollcastError, OSError):
    """A campaign file that cannot be read or written."""


class SchemaTooNewError(StoreError):
    """A campaign file of a newer major schema version than this collcast knows."""


class MissingExtraError(CollcastError, ImportError):
    """An optional dependency is not installed; the message says which extra brings it."""
