"""What the commands need besides the package: the extra, and the campaign they read."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...bench.errors import CaseError, MissingExtraError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from ...bench.sample import Campaign
    from ..fabrics import Fabric
    from ..fit import Fit

__all__ = [
    "check_output",
    "fit_all",
    "parse_ranks",
    "read_measured",
    "require",
    "require_parquet",
    "write_output",
]


def require(*modules: str) -> None:
    """Refuse to go on without modules that the extra ``analysis`` brings.

    Raises
    ------
    MissingExtraError
        Naming the module and how to install it.
    """
    for name in modules:
        if find_spec(name) is None:
            raise MissingExtraError(
                f'needs {name}, which is not installed: pip install "collcast[analysis]"'
            )


def require_parquet() -> None:
    """Refuse to go on without pyarrow, which has an extra of its own: it is larger than the rest.

    Raises
    ------
    MissingExtraError
        Saying how to install it.
    """
    if find_spec("pyarrow") is None:
        raise MissingExtraError(
            'Parquet needs pyarrow, which is not installed: pip install "collcast[parquet]"'
        )


def read_measured(path: Path) -> Campaign:
    """Read a campaign that holds something.

    Raises
    ------
    StoreError, CaseError
        If the file cannot be read, or holds no measurement.
    """
    from ...bench.store import read_campaign

    if path.suffix.lower() == ".csv" and path.is_file():
        raise CaseError(
            f"{path}: found a table, expected a campaign; collcast import {path.name} -o "
            f"{path.stem}.h5 makes one"
        )
    campaign = read_campaign(path)
    if not campaign.measurements and not campaign.imported:
        raise CaseError(f"{path}: found no measurement, expected at least 1")
    return campaign


def fit_all(
    campaign: Campaign, seed: int = 0, prior: str = "none", fabric: Fabric | None = None
) -> list[Fit]:
    """Fit every series of a campaign, on `local_max`: the estimand of every prediction."""
    from ..dataset import dataset_of
    from ..fit import fit

    rows = dataset_of(campaign, "local_max")
    return [
        fit(key, series, seed=seed, prior=prior, fabric=fabric)
        for key, series in rows.series().items()
    ]


def parse_ranks(text: str, option: str = "--ranks") -> tuple[int, ...]:
    """Return numbers of ranks from ``4`` or ``200000,1000000``, the value of an option.

    Raises
    ------
    CaseError
        If a part is no whole number from 1 to 10^9.
    """
    parts = [part.strip().replace("_", "") for part in text.split(",")]
    for part in parts:
        if not (part.isascii() and part.isdigit() and 1 <= int(part) <= 10**9):
            raise CaseError(f"{option}: found {part!r}, expected whole numbers such as 1000000")
    return tuple(dict.fromkeys(int(part) for part in parts))


def check_output(path: Path, suffixes: tuple[str, ...], *, force: bool) -> None:
    """Refuse an output that exists, has no folder, or is of no known kind.

    Raises
    ------
    CaseError
        Saying which.
    """
    if path.suffix.lower() not in suffixes:
        raise CaseError(
            f"--output: found {path.name!r}, expected a name ending in {', '.join(suffixes)}"
        )
    if not path.parent.is_dir():
        raise CaseError(f"--output: found no folder {path.parent}, expected one that exists")
    if path.is_dir() or (path.exists() and not force):
        raise CaseError(f"--output: found {path}, which exists; give --force to replace it")


def write_output(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole: what was there before stays until then.

    Raises
    ------
    StoreError
        If the file system refuses.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            write(stream)
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
