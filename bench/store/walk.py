"""All that a campaign's file and journal hold, one object at a time.

Launches and cases are united by their number: what the file has, the journal does not add again,
so a crash between replacing the file and removing the journal duplicates nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import SchemaTooNewError, StoreError
from ..imported import ImportedTable
from ..sample import Launch, Measurement
from . import journal
from .node import Node, open_file, open_image, reading
from .schema import CASES, IMPORTED, LAUNCHES, Root, read_case, read_launch, read_root
from .table import read_table

__all__ = [
    "Entry",
    "Problem",
    "Source",
    "journal_of",
    "located",
    "numbers_in",
    "raise_problem",
    "read_entry",
    "walk",
    "walk_entries",
]

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)

Problem = Callable[[StoreError], None]
"""What to do about something damaged: raise it, or write it down and go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One HDF5 file or image of a campaign, open."""

    node: Node
    root: Root


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One launch, case or imported table, decoded, with the open group that it came from."""

    collection: str
    number: int
    value: Launch | Measurement | ImportedTable
    node: Node


def located(path: Path) -> Path:
    """Return where the file itself is: a link to it must find the journal beside it."""
    return Path(os.path.realpath(path))


def journal_of(path: Path) -> Path:
    """Return the path of a file's journal."""
    return path.with_name(path.name + ".journal")


def raise_problem(problem: StoreError) -> None:
    """Treat a problem as the end."""
    raise problem


def walk(path: Path, problem: Problem, only: int | None = None) -> Iterator[Source]:
    """Open the file and then every image of the journal that belongs to it.

    With `only`, images of other cases than that number are passed over.

    Raises
    ------
    StoreError
        If there is neither file nor journal.
    SchemaTooNewError
        If either is of a newer major version, whatever `problem` does.
    """
    # The journal is opened first: should the running campaign be consolidated meanwhile, this
    # reader has either the old file and the journal, or the new file, and misses nothing.
    beside = journal_of(path)
    with journal.open_journal(beside) as file:
        identity: bytes | None = None
        if path.exists() or not beside.exists():
            identity = yield from _walk_file(path, problem if beside.exists() else raise_problem)
        yield from _walk_journal(file, beside, identity, problem, only)


def walk_entries(
    source: Source, seen: set[tuple[str, int]], problem: Problem, *, copied: bool = False
) -> Iterator[Entry]:
    """Decode what a source holds and `seen` does not; add it there. Launches come first.

    With `copied`, what is not decoded must be fit to be copied, too.
    """
    for collection in (LAUNCHES, CASES, IMPORTED):
        for number in numbers_in(source.node, collection, problem):
            if (collection, number) in seen:
                continue
            try:
                entry = read_entry(source.node, collection, number)
                if isinstance(entry.value, Measurement):
                    _expect_launch(entry, entry.value.launch, seen)
                if copied:
                    entry.node.expect_countable()
            except StoreError as error:
                problem(error)
                continue
            seen.add((collection, number))
            yield entry


def numbers_in(node: Node, collection: str, problem: Problem) -> list[int]:
    """Return the numbers in a collection, in order; none if it is missing."""
    try:
        with reading(node.where):
            if collection not in node.handle:
                return []
        names = node.group(collection).names()
    except StoreError as error:
        problem(error)
        return []
    numbers = []
    for name in names:
        if _NUMBER.fullmatch(name):
            numbers.append(int(name))
        else:
            problem(StoreError(f"{node.where}: {collection}: found {name!r}, expected a number"))
    return sorted(numbers)


def read_entry(root: Node, collection: str, number: int) -> Entry:
    """Decode one launch, case or imported table.

    Raises
    ------
    StoreError
        If it is missing or damaged.
    """
    found = root.group(collection).group(str(number))
    node = Node(found.handle, f"{root.where}: {collection}/{number}", root.allowance)
    value: Launch | Measurement | ImportedTable
    if collection == LAUNCHES:
        value = read_launch(node, number)
    else:
        value = read_case(node) if collection == CASES else read_table(node)
    return Entry(collection=collection, number=number, value=value, node=node)


def _expect_launch(entry: Entry, launch: int, seen: set[tuple[str, int]]) -> None:
    if (LAUNCHES, launch) not in seen:
        raise StoreError(
            f"{entry.node.where}.launch: found {launch}, expected the number of a readable launch"
        )


def _walk_file(path: Path, problem: Problem) -> Generator[Source, None, bytes | None]:
    try:
        with open_file(path) as node:
            root = read_root(node)
            yield Source(node=node, root=root)
            return root.identity
    except SchemaTooNewError:
        raise
    except StoreError as error:
        problem(error)
        return None


def _walk_journal(
    file: BinaryIO, path: Path, identity: bytes | None, problem: Problem, only: int | None
) -> Iterator[Source]:
    found = journal.scan(file, path)
    for offset, length in found.damaged:
        problem(
            StoreError(f"{path}: found {length} damaged bytes at byte {offset}, expected a record")
        )
    for record in found.records:
        identity = identity or record.identity
        if record.identity != identity:
            continue  # left behind by the campaign that this file replaced
        if only is not None and (record.kind, record.number) != (journal.CASE, only):
            continue
        try:
            with _open_record(file, record, path) as source:
                yield source
        except SchemaTooNewError:
            raise
        except StoreError as error:
            problem(error)


@contextmanager
def _open_record(file: BinaryIO, record: journal.Record, path: Path) -> Iterator[Source]:
    where = f"{path}, record at byte {record.offset}"
    payload = journal.read_payload(file, record)
    if payload is None:
        raise StoreError(f"{where}: found a wrong checksum, expected a whole record")
    with open_image(payload, where) as node:
        yield Source(node=node, root=read_root(node))
