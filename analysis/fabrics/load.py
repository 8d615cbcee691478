"""Load a fabric: a built-in by name, any other by path."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ...bench.errors import FabricError
from .check import check_fabric
from .fabric import Fabric

__all__ = ["built_in_fabrics", "load_fabric"]

_FOLDER = Path(__file__).parent


def built_in_fabrics() -> tuple[str, ...]:
    """Return the names of the fabrics that come with collcast."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_fabric(name_or_path: str | Path) -> Fabric:
    """Return a checked fabric.

    Raises
    ------
    FabricError
        If there is none of this name, the file cannot be read, or a figure breaks a rule.
    """
    path = Path(name_or_path)
    if str(name_or_path) in built_in_fabrics():
        path = _FOLDER / f"{name_or_path}.toml"
    elif path.suffix != ".toml" and not path.is_file():
        raise FabricError(
            f"fabric: found {str(name_or_path)!r}, expected one of "
            f"{', '.join(built_in_fabrics())} or the path of a .toml file"
        )
    try:
        fabric = msgspec.toml.decode(path.read_bytes(), type=Fabric)
        check_fabric(fabric)
    except OSError as error:
        raise FabricError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FabricError(f"{path}: found bytes that are no UTF-8, expected TOML") from error
    except (msgspec.DecodeError, FabricError) as error:
        raise FabricError(f"{path.name}: {error}") from error
    return fabric
