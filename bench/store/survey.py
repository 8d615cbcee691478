"""What is whole in a campaign's file and journal, what is not, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..imported import ImportedTable
from ..sample import Measurement
from . import journal
from .durable import replace_durably
from .merge import merge_image
from .schema import CASES, IMPORTED, LAUNCHES
from .walk import Entry, journal_of, located, walk, walk_entries

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Survey", "repair_campaign", "survey_campaign"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is there, without the stamps."""

    launches: int
    """Launches that could be read."""

    cases: int
    """Cases that could be read."""

    imported: int
    """Imported tables that could be read."""

    records: int
    """Whole records in the journal; 0 if the campaign was consolidated."""

    wrong: tuple[int, ...]
    """Numbers of the cases with wrong elements."""

    suspect: tuple[tuple[int, str], ...]
    """Numbers of the cases that cannot be believed, and why."""

    cells: int
    """Of the imported tables."""

    suspect_cells: int
    """Imported cells that cannot be believed."""

    torn_bytes: int
    """Bytes behind the journal's last whole record: something that was never finished."""

    findings: tuple[str, ...]
    """What is damaged: place, found, expected; one line each."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged or torn."""
        return not self.findings and not self.torn_bytes


def survey_campaign(path: Path) -> Survey:
    """Read everything, go on after damage, and tell what was found.

    Raises
    ------
    StoreError
        If nothing there is a campaign.
    SchemaTooNewError
        If the file is of a newer major schema version.
    """
    path = located(path)
    problems: list[StoreError] = []
    seen: set[tuple[str, int]] = set()
    identities: set[bytes] = set()
    wrong: list[int] = []
    suspect: list[tuple[int, str]] = []
    cells = [0, 0]
    for source in walk(path, problems.append):
        identities.add(source.root.identity)
        for entry in walk_entries(source, seen, problems.append, copied=True):  # the test
            _note(entry, wrong, suspect, cells)
    beside = journal_of(path)
    with journal.open_journal(beside) as file:
        found = journal.scan(file, beside)
    foreign = [record for record in found.records if record.identity not in identities]
    if foreign and identities:
        problems.append(
            StoreError(f"{beside}: found {len(foreign)} records of another campaign, expected none")
        )
    if problems and not identities:
        raise problems[0]
    launches = sum(collection == LAUNCHES for collection, _ in seen)
    return Survey(
        launches=launches,
        cases=sum(collection == CASES for collection, _ in seen),
        imported=sum(collection == IMPORTED for collection, _ in seen),
        wrong=tuple(wrong),
        suspect=tuple(suspect),
        cells=cells[0],
        suspect_cells=cells[1],
        records=len(found.records) - len(foreign),
        torn_bytes=found.torn_bytes,
        findings=tuple(str(problem) for problem in problems),
    )


def _note(entry: Entry, wrong: list[int], suspect: list[tuple[int, str]], cells: list[int]) -> None:
    """Count what an entry says of itself."""
    value = entry.value
    if isinstance(value, Measurement):
        if value.wrong:
            wrong.append(entry.number)
        if value.suspect:
            suspect.append((entry.number, value.suspect))
    elif isinstance(value, ImportedTable):
        cells[0] += len(value)
        cells[1] += sum(map(bool, value.suspect))


def repair_campaign(path: Path, target: Path) -> None:
    """Write what is whole to a new file.

    Raises
    ------
    StoreError
        If the new file exists, nothing is whole, or the file system refuses.
    """
    target = located(target)
    if target.exists() or journal_of(target).exists():
        raise StoreError(f"{target}: found a file of that name, expected a new one")
    damage: list[StoreError] = []
    replace_durably(target, merge_image(located(path), damage.append))
