"""Write a fabric as TOML, one line per figure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from .fabric import Figure, Routing, Trait
from .load import load_facts

if TYPE_CHECKING:
    from .fabric import Fabric

__all__ = ["to_toml"]

_HEAD = ("endpoints", "overhead", "propagation", "reduction_rate")


def to_toml(fabric: Fabric) -> str:
    """Return the text of a fabric file; shared figures stay where they are."""
    lines = [f"schema = {fabric.schema}"]
    lines += [f"{name} = {_text(getattr(fabric, name))}" for name in ("name", "title")]
    lines.append(f'description = """\n{fabric.description.strip()}\n"""')
    if fabric.facts:
        lines.append(f"facts = [{', '.join(map(_text, fabric.facts))}]")
    lines += [f"{name} = {_inline(getattr(fabric, name))}" for name in _HEAD]
    shared = {name for file in fabric.facts for name in load_facts(file)}
    own = {name: figure for name, figure in fabric.constants.items() if name not in shared}
    lines += _table("constants", own)
    for name in ("network", "power", "cost", "failure"):
        lines += _table(name, getattr(fabric, name))
    for name, switch in fabric.switches.items():
        lines += _table(f"switches.{name}", switch)
    for tier in fabric.tiers:
        lines += ["", "[[tiers]]", *_fields(tier)]
    return "\n".join(lines) + "\n"


def _table(name: str, part: dict[str, Figure] | msgspec.Struct | None) -> list[str]:
    return ["", f"[{name}]", *_fields(part)] if part else []


def _fields(part: dict[str, Figure] | msgspec.Struct) -> list[str]:
    items = part if isinstance(part, dict) else msgspec.structs.asdict(part)
    lines = []
    for name, value in items.items():
        if isinstance(value, dict):
            lines += [f"{name}.{key} = {_inline(figure)}" for key, figure in value.items()]
        elif isinstance(value, Figure | Trait | Routing):
            lines.append(f"{name} = {_inline(value)}")
        elif value not in {None, ""}:
            lines.append(f"{name} = {_text(value)}")
    return lines


def _inline(part: Figure | Trait | Routing) -> str:
    given = {
        name: value
        for name, value in msgspec.structs.asdict(part).items()
        if value not in {None, ()} and (name, value) != ("queue_pairs", 1)
    }
    order = (
        "value", "low", "high", "unit", "queue_pairs", "points", "source", "status", "formula",
        "date",
    )  # fmt: skip
    pairs = [f"{name} = {_text(given[name])}" for name in order if name in given]
    return f"{{ {', '.join(pairs)} }}"


def _text(value: object) -> str:
    if isinstance(value, float):
        digits, _, exponent = f"{value:.9g}".partition("e")
        short = f"{digits}e{int(exponent)}" if exponent else digits
        return short if float(short) == value else repr(value)
    return json.dumps(value, ensure_ascii=False)
