"""File and journal put together into the image of one file.

Groups are copied as they are stored, after they were read and found whole: what a later minor
version added, and this program does not know, is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from .node import Node, reading
from .schema import CASES, IMPORTED, LAUNCHES, Root, build_image
from .walk import Problem, journal_of, walk, walk_entries

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["merge_image"]

_ASIDE = "being copied"
_GROWTH = 4  # the image of a campaign is about as large as its parts, less their headers
_SLACK_BYTES = 1 << 20


def merge_image(path: Path, problem: Problem) -> memoryview:
    """Return one file's bytes that hold everything whole of a file and its journal.

    Raises
    ------
    StoreError
        If there is nothing, and what `problem` raises.
    """

    def fill(file: Any) -> Root:
        root: Root | None = None
        seen: set[tuple[str, int]] = set()
        most_bytes = (
            _GROWTH * sum(_size_of(part) for part in (path, journal_of(path))) + _SLACK_BYTES
        )
        for source in walk(path, problem):
            root = root or source.root
            root = replace(root, version=max(root.version, source.root.version))
            for entry in walk_entries(source, seen, problem, copied=True):
                _copy(entry.node, file.require_group(entry.collection), str(entry.number))
                _expect_size(file, most_bytes, entry.node.where)
            _copy_unknown(source.node, file, problem)
            _expect_size(file, most_bytes, source.node.where)
        if root is None:
            raise StoreError(f"{path}: found no finished launch, expected one at least")
        return root

    return build_image(fill)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _expect_size(file: Any, most_bytes: int, where: str) -> None:
    """Refuse a hostile file: a case that has the whole file as a child would be copied squared."""
    if (found := file.id.get_filesize()) > most_bytes:
        raise StoreError(
            f"{where}: found {found} bytes when copied, expected at most {most_bytes}: "
            "objects of several names"
        )


def _copy(node: Node, target: Any, name: str) -> None:
    with reading(node.where):
        target.copy(node.handle, target, name=name)


def _copy_unknown(node: Node, file: Any, problem: Problem) -> None:
    """Copy the groups beside those of this schema, child by child, that are not there yet.

    Each group is copied by one call and then taken apart: in it HDF5 copies an object once however
    many names it has. Copied one by one, a crowd of names for one group would be copied squared.
    """
    try:
        for collection in node.names():
            if collection in {LAUNCHES, CASES, IMPORTED}:
                continue
            group = node.group(collection)
            group.expect_countable()
            _copy(group, file, _ASIDE)
            target = file.require_group(collection)
            for name in group.names():
                group.expect_inside(name, "an object")
                if name not in target:
                    with reading(f"{group.where}/{name}"):
                        target.move(f"/{_ASIDE}/{name}", name)
            del file[_ASIDE]
    except StoreError as error:
        if _ASIDE in file:
            del file[_ASIDE]
        problem(error)
