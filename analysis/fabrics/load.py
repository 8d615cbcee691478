"""Load a fabric: a built-in by name, any other by path."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from ...bench.errors import FabricError
from .check import check_fabric, check_facts, names_in
from .fabric import Fabric, Figure

__all__ = ["built_in_fabrics", "load_fabric", "load_facts", "with_facts"]

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
        fabric = with_facts(msgspec.toml.decode(path.read_bytes(), type=Fabric))
        check_fabric(fabric)
    except OSError as error:
        raise FabricError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FabricError(f"{path}: found bytes that are no UTF-8, expected TOML") from error
    except (msgspec.DecodeError, FabricError) as error:
        raise FabricError(f"{path.name}: {error}") from error
    return fabric


@cache
def load_facts(name: str) -> dict[str, Figure]:
    """Return the checked figures that several fabrics share.

    Raises
    ------
    FabricError
        If there is no such file, or a figure breaks a rule.
    """
    folder = _FOLDER / "facts"
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        raise FabricError(f"facts: found {name!r}, expected one of {', '.join(known)}")
    facts = msgspec.toml.decode((folder / f"{name}.toml").read_bytes(), type=dict[str, Figure])
    check_facts(facts)
    return facts


def with_facts(fabric: Fabric) -> Fabric:
    """Return the fabric with the shared figures that its formulas name among its constants."""
    shared = {key: figure for name in fabric.facts for key, figure in load_facts(name).items()}
    constants = dict(fabric.constants)
    figures = fabric.figures()
    waiting = [part for figure in figures.values() for part in names_in(figure.formula or "0")]
    while waiting:
        name = waiting.pop()
        if name in figures or name not in shared:
            continue  # what is in neither is refused, with its formula, when fabrics are checked
        figures[name] = constants[name] = shared[name]
        waiting += names_in(shared[name].formula or "0")
    return msgspec.structs.replace(fabric, constants=constants)
