"""The public functions: a campaign is read, written, appended to, consolidated.

A path names the file; its journal lies beside it. All functions raise `StoreError` with one line
that names the file and the object, what was found and what was expected.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..imported import ImportedTable
from ..sample import Campaign, Launch, Measurement
from . import journal
from .durable import append_durably, remove_durably, replace_durably, writing
from .lazy import Keeper
from .merge import merge_image
from .node import open_file
from .schema import (
    CASES,
    IMPORTED,
    LAUNCHES,
    Root,
    build_image,
    new_root,
    read_root,
    write_case,
    write_imported,
    write_launch,
)
from .walk import journal_of, located, numbers_in, raise_problem, walk, walk_entries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "append_imported",
    "append_launch",
    "append_measurement",
    "campaign_exists",
    "consolidate",
    "next_launch_number",
    "read_campaign",
    "remove_campaign",
    "write_campaign",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inventory:
    """What is there already, by number; found without decoding anything."""

    identity: bytes
    launches: frozenset[int]
    cases: frozenset[int]
    imported: frozenset[int]
    end: int
    """Where the next record of the journal goes, in bytes."""


def read_campaign(path: Path) -> Campaign:
    """Return what a file and its journal hold; a torn last record is left out.

    All is decoded and checked; of a large campaign only the first stamps stay in memory, the others
    are read again when they are used (`lazy.StoredSample`).

    Raises
    ------
    StoreError
        If there is neither, or anything in them is no campaign, truncated or damaged.
    SchemaTooNewError
        If the file is of a newer major schema version.
    """
    path = located(path)
    launches: dict[int, Launch] = {}
    measurements: dict[int, Measurement] = {}
    imported: dict[int, ImportedTable] = {}
    seen: set[tuple[str, int]] = set()
    keeper: Keeper | None = None
    for source in walk(path, raise_problem):
        keeper = keeper or Keeper(path, source.root.identity)
        for entry in walk_entries(source, seen, raise_problem):
            if isinstance(entry.value, Launch):
                launches[entry.number] = entry.value
            elif isinstance(entry.value, Measurement):
                measurements[entry.number] = keeper.keep(entry.value, entry.number)
            else:
                imported[entry.number] = entry.value
    ordered = [measurements[number] for number in sorted(measurements)]
    return Campaign(
        launches=tuple(launches[number] for number in sorted(launches)),
        measurements=tuple(found for found in ordered if not found.failure),
        failed=tuple(found for found in ordered if found.failure),
        imported=tuple(imported[number] for number in sorted(imported)),
    )


def write_campaign(path: Path, campaign: Campaign) -> None:
    """Write a campaign as one whole file, in the place of what was there.

    Raises
    ------
    StoreError
        If a value cannot be stored, launches do not fit, or the file system refuses.
    """
    path = located(path)
    _expect_launches(campaign)

    def fill(file: Any) -> Root:
        for launch in campaign.launches:
            write_launch(file, launch)
        for number, measurement in enumerate(campaign.measurements + campaign.failed):
            write_case(file, measurement, number)
        for number, table in enumerate(campaign.imported):
            write_imported(file, table, number)
        # A new identity disowns the old journal, should a crash keep it from being removed.
        return new_root(_new_identity())

    replace_durably(path, build_image(fill))
    remove_durably(journal_of(path))


def append_launch(path: Path, launch: Launch) -> None:
    """Append a launch to the journal; when this returns, no crash can lose it.

    Raises
    ------
    StoreError
        If its number is taken, a value cannot be stored, or the file system refuses.
    """
    path = located(path)
    found = _take_inventory(path)
    if launch.number in found.launches:
        raise StoreError(
            f"{path}: {LAUNCHES}/{launch.number}: found a launch of that number, expected a new one"
        )
    _append(path, found, journal.LAUNCH, launch.number, lambda file: write_launch(file, launch))


def append_measurement(path: Path, measurement: Measurement) -> None:
    """Append a finished case to the journal; when this returns, no crash can lose it.

    Raises
    ------
    StoreError
        If its launch is unknown, a value cannot be stored, or the file system refuses.
    """
    path = located(path)
    found = _take_inventory(path)
    if measurement.launch not in found.launches:
        raise StoreError(
            f"{path}: measurement.launch: found {measurement.launch}, "
            f"expected one of {sorted(found.launches)}"
        )
    number = max(found.cases, default=-1) + 1
    _append(path, found, journal.CASE, number, lambda file: write_case(file, measurement, number))


def append_imported(path: Path, table: ImportedTable) -> None:
    """Append an imported table to the journal; when this returns, no crash can lose it.

    Raises
    ------
    StoreError
        If a value cannot be stored, or the file system refuses.
    """
    path = located(path)
    found = _take_inventory(path)
    number = max(found.imported, default=-1) + 1
    _append(path, found, journal.IMPORTED, number, lambda file: write_imported(file, table, number))


def _append(
    path: Path, found: _Inventory, kind: int, number: int, write: Callable[[Any], object]
) -> None:
    """Append one record whose image `write` fills."""

    def fill(file: Any) -> Root:
        write(file)
        return new_root(found.identity)

    record = journal.pack_record(found.identity, number, kind, build_image(fill))
    append_durably(journal_of(path), record, found.end)


def consolidate(path: Path) -> None:
    """Put file and journal together into the file, then remove the journal.

    Takes memory for the compressed file and one decoded case.

    Raises
    ------
    StoreError
        If either is damaged, or the file system refuses; nothing is lost then.
    """
    path = located(path)
    if journal_of(path).exists():
        replace_durably(path, merge_image(path, raise_problem))
        remove_durably(journal_of(path))


def campaign_exists(path: Path) -> bool:
    """Tell whether there is a file or a journal."""
    path = located(path)
    return path.exists() or journal_of(path).exists()


def remove_campaign(path: Path) -> None:
    """Remove file and journal, if they are there."""
    path = located(path)
    with writing(path):
        remove_durably(path)
        remove_durably(journal_of(path))


def next_launch_number(path: Path) -> int:
    """Return the number for the next launch; 0 if there is nothing yet.

    Raises
    ------
    StoreError
        If what is there is no campaign.
    """
    return max(_take_inventory(located(path)).launches, default=-1) + 1


def _take_inventory(path: Path) -> _Inventory:
    identity: bytes | None = None
    kinds = ((journal.LAUNCH, LAUNCHES), (journal.CASE, CASES), (journal.IMPORTED, IMPORTED))
    numbers: dict[int, set[int]] = {kind: set() for kind, _ in kinds}
    if path.exists():
        with open_file(path) as node:
            identity = read_root(node).identity
            for kind, collection in kinds:
                numbers[kind].update(numbers_in(node, collection, raise_problem))
    beside = journal_of(path)
    with journal.open_journal(beside) as file:
        found = journal.scan(file, beside)
    own = [record for record in found.records if record.identity == (identity or record.identity)]
    for record in own:
        numbers.setdefault(record.kind, set()).add(record.number)
    if identity is None:
        identity = own[0].identity if own else _new_identity()
    return _Inventory(
        identity=identity,
        launches=frozenset(numbers[journal.LAUNCH]),
        cases=frozenset(numbers[journal.CASE]),
        imported=frozenset(numbers[journal.IMPORTED]),
        end=found.end if own else 0,  # a journal of a replaced campaign is cut off
    )


def _new_identity() -> bytes:
    return secrets.token_bytes(16)


def _expect_launches(campaign: Campaign) -> None:
    numbers = [launch.number for launch in campaign.launches]
    if len(set(numbers)) != len(numbers):
        raise StoreError(f"campaign.launches: found numbers {numbers}, expected each once")
    for measurement in campaign.measurements + campaign.failed:
        if measurement.launch not in numbers:
            raise StoreError(
                f"measurement.launch: found {measurement.launch}, expected one of {numbers}"
            )
