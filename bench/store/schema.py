"""Schema 1: one campaign as groups and attributes of HDF5, as ``docs/file-format.md`` describes.

The major version changes when an old reader would misread a file; what is only added raises the
minor one, and old readers ignore it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import h5py
import msgspec
import numpy as np

from ..case import Case
from ..environment import Environment
from ..errors import SchemaTooNewError, StoreError
from ..imported import ImportedTable
from ..observation import Observation
from ..protocol import Protocol
from ..sample import Launch, Measurement
from .attribute import read_fields, write_fields, write_text
from .node import Node, reading
from .stamp import read_sample, write_sample
from .table import write_table

__all__ = [
    "CASES",
    "IMPORTED",
    "LAUNCHES",
    "SCHEMA",
    "SCHEMA_VERSION",
    "Root",
    "build_image",
    "new_group",
    "new_root",
    "read_case",
    "read_launch",
    "read_root",
    "write_case",
    "write_imported",
    "write_launch",
]

SCHEMA = "collcast/campaign"
SCHEMA_VERSION = (1, 2)
"""(major, minor) that this program writes."""

LAUNCHES = "launches"
CASES = "cases"
IMPORTED = "imported"

_MEASURED = (
    "case",
    "sample",
    "warmup",
    "verified",
    "observed",
)  # fields of a Measurement that are no attributes
_LIBRARY = ("v110", "v110")  # compact chunk index, checksummed metadata; HDF5 1.10 is of 2016
_MOST_ATTRIBUTES = 128  # kept in the group's header; beyond 8, HDF5 would start a heap of 4 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Attributes of the root group."""

    version: tuple[int, int]
    identity: bytes
    """16 random bytes that tie file and journal of one campaign together."""

    created: str
    """ISO 8601, UTC."""


def new_root(identity: bytes) -> Root:
    """Return the root of a campaign that begins now."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Root(version=SCHEMA_VERSION, identity=identity, created=created)


def build_image(fill: Callable[[Any], Root]) -> memoryview:
    """Return the bytes of an HDF5 file made in memory; `fill` puts the groups in, returns the root.

    Not on disk: a full disk would end HDF5, and the process, where a failed write is an exception.

    Raises
    ------
    StoreError
        If a value cannot be stored.
    """
    image = io.BytesIO()
    try:
        with h5py.File(image, "w", libver=_LIBRARY) as file:
            root = fill(file)
            write_text(file, "schema", SCHEMA)
            write_text(file, "schema_version", f"{root.version[0]}.{root.version[1]}")
            write_text(file, "identity", root.identity.hex())
            write_text(file, "created", root.created)
            write_text(file, "writer", f"collcast {version('collcast')}")
    except StoreError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        raise StoreError(
            f"campaign: found {text!r} when encoding, expected values of the schema"
        ) from error
    return image.getbuffer()  # no copy: it may be a whole campaign


def read_root(node: Node) -> Root:
    """Return the root's attributes.

    Raises
    ------
    StoreError
        If the file is no campaign.
    SchemaTooNewError
        If its major version is newer than this program.
    """
    if not node.has_attribute("schema") or (schema := node.text("schema")) != SCHEMA:
        found = f"schema {schema!r}" if node.has_attribute("schema") else "HDF5 without a schema"
        raise StoreError(f"{node.where}: found {found}, expected {SCHEMA!r}")
    text = node.text("schema_version")
    match = re.fullmatch(r"(\d{1,6})\.(\d{1,6})", text, re.ASCII)
    if match is None:
        raise StoreError(f"{node.where}.schema_version: found {text!r}, expected MAJOR.MINOR")
    found_version = int(match[1]), int(match[2])
    if found_version[0] > SCHEMA_VERSION[0]:
        raise SchemaTooNewError(
            f"{node.where}: found schema version {text}, expected at most {SCHEMA_VERSION[0]}.x; "
            "a newer collcast reads it"
        )
    if found_version[0] < 1:
        raise StoreError(f"{node.where}.schema_version: found {text!r}, expected 1.0 or later")
    with reading(f"{node.where}.identity"):
        identity = bytes.fromhex(node.text("identity"))
        if len(identity) != 16:
            raise StoreError(f"{node.where}.identity: found {len(identity)} bytes, expected 16")
    return Root(version=found_version, identity=identity, created=node.text("created"))


def write_launch(file: Any, launch: Launch) -> None:
    """Write one launch under ``/launches``."""
    group = new_group(_collection(file, LAUNCHES), str(launch.number))
    write_fields(group, launch.protocol)
    try:
        document = msgspec.json.encode(launch.environment)
        exact = msgspec.json.decode(document, type=Environment) == launch.environment
    except (UnicodeError, msgspec.MsgspecError, TypeError, OverflowError) as error:
        raise StoreError(f"launch.environment: found {error}, expected text and numbers") from error
    if not exact:  # NaN, say, which JSON lacks: refused now rather than by every reader
        raise StoreError("launch.environment: found a value that JSON cannot hold, expected none")
    _write_document(group, "environment", document)


def read_launch(node: Node, number: int) -> Launch:
    """Return one launch from its group.

    Raises
    ------
    StoreError
        If anything in it is missing, damaged, or does not fit together.
    """
    document = node.document("environment")
    with reading(node.where):
        protocol = Protocol(**read_fields(node, Protocol))
    with reading(f"{node.where}/environment"):
        environment = msgspec.json.decode(document, type=Environment)
    return Launch(number=number, protocol=protocol, environment=environment)


def write_case(file: Any, measurement: Measurement, number: int) -> None:
    """Write one measurement under ``/cases``."""
    group = new_group(_collection(file, CASES), str(number))
    write_fields(group, measurement.case)
    write_fields(group, measurement, without=_MEASURED)
    write_sample(new_group(group, "sample"), measurement.sample)
    write_sample(new_group(group, "warmup"), measurement.warmup)
    if measurement.verified is not None:
        write_sample(new_group(group, "verified"), measurement.verified)
    if measurement.observed is not None:
        _write_document(group, "observed", msgspec.json.encode(measurement.observed))


def read_case(node: Node) -> Measurement:
    """Return one measurement from its group.

    Raises
    ------
    StoreError
        If anything in it is missing, damaged, or does not fit together.
    """
    names = node.names()
    observed = None
    if "observed" in names:
        document = node.document("observed")
        with reading(f"{node.where}/observed"):
            observed = msgspec.json.decode(document, type=Observation)
    with reading(node.where):
        case = Case(**read_fields(node, Case))
        measurement = Measurement(
            case=case,
            sample=read_sample(node.group("sample")),
            warmup=read_sample(node.group("warmup")),
            verified=read_sample(node.group("verified")) if "verified" in names else None,
            observed=observed,
            **read_fields(node, Measurement, without=_MEASURED),
        )
    for name in ("warmup", "verified"):
        sample = getattr(measurement, name)
        if sample is not None and sample.ranks != measurement.sample.ranks:
            raise StoreError(
                f"{node.where}/{name}: found {sample.ranks} ranks, "
                f"expected {measurement.sample.ranks} as in sample"
            )
    return measurement


def write_imported(file: Any, table: ImportedTable, number: int) -> None:
    """Write one imported table under ``/imported``."""
    write_table(new_group(_collection(file, IMPORTED), str(number)), table)


def _write_document(group: Any, name: str, document: bytes) -> None:
    """Write a text as a dataset of shape (1,)."""
    kind = h5py.string_dtype("utf-8", len(document))
    group.create_dataset(
        name,
        data=np.array([document], dtype=kind),
        chunks=(1,),
        compression="gzip",
        fletcher32=True,  # deflate is left out, and its checksum with it, where it gains nothing
    )


def new_group(parent: Any, name: str) -> Any:
    """Create a group that keeps its attributes in its own header."""
    creation = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    creation.set_attr_phase_change(_MOST_ATTRIBUTES, 0)
    return h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=creation))


def _collection(file: Any, name: str) -> Any:
    return file.require_group(name)
