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
from .walk import Problem, walk, walk_entries

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["merge_image"]


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
        for source in walk(path, problem):
            root = root or source.root
            root = replace(root, version=max(root.version, source.root.version))
            for entry in walk_entries(source, seen, problem):
                _copy(entry.node, file.require_group(entry.collection), str(entry.number))
            _copy_unknown(source.node, file, problem)
        if root is None:
            raise StoreError(f"{path}: found no finished launch, expected one at least")
        return root

    return build_image(fill)


def _copy(node: Node, target: Any, name: str) -> None:
    with reading(node.where):
        target.copy(node.handle, target, name=name)


def _copy_unknown(node: Node, file: Any, problem: Problem) -> None:
    """Copy the groups beside those of this schema, child by child, that are not there yet."""
    try:
        for collection in node.names():
            if collection in {LAUNCHES, CASES, IMPORTED}:
                continue
            group = node.group(collection)
            for name in group.names():
                group.expect_inside(name, "an object")
                if name not in file.require_group(collection):
                    child = group.handle[name]
                    _copy(
                        Node(child, f"{group.where}/{name}", node.allowance), file[collection], name
                    )
    except StoreError as error:
        problem(error)
