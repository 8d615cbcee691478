"""Write a picture whole, or refuse before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["write_picture"]


def write_picture(path: Path, draw: Callable[[], Any], *, force: bool) -> None:
    """Draw into a file named .png, .svg or .pdf.

    Raises
    ------
    CaseError
        If the name ends in none of these, its folder is missing, or it exists.
    """
    from .extras import check_output, require, write_output

    require("matplotlib")
    from ..plot import SUFFIXES, save

    check_output(path, SUFFIXES, force=force)
    figure = draw()
    write_output(path, lambda stream: save(figure, stream, path.suffix.lower()))
