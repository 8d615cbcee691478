"""Check a fabric: units, ranges, order of tiers, derived figures against their formulas.

Formulas hold numbers, names of figures, + - * / ** and brackets; nothing else is evaluated.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from typing import TYPE_CHECKING

from ...bench.errors import FabricError
from .fabric import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .fabric import Fabric, Figure

__all__ = ["check_fabric", "evaluate_formula", "names_in", "rests_on_assumption"]

# Field -> (unit, least, largest). The bounds catch slips of unit, not bold plans: 1e14 bytes/s is a
# hundred times NVLink 5, and no path on Earth takes a second.
_RULES: dict[str, tuple[str, float, float]] = {
    "endpoints": ("ranks", 1, 1e9),
    "size": ("ranks", 1, 1e9),
    "rate": ("bytes/s", 1e6, 1e14),
    "latency": ("s", 1e-9, 1),
    "overhead": ("s", 0, 1),
    "cable": ("m", 0, 4e7),
    "propagation": ("s/m", 3.3e-9, 1e-8),  # light in vacuum; twice the time of fibre
    "reduction_rate": ("bytes/s", 1e6, 1e15),
    "oversubscription": ("1", 1, 1000),
    "efficiency": ("1", 1e-3, 1),
}
_TOLERANCE = 1e-3  # figures are written with three or four digits
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def check_fabric(fabric: Fabric) -> None:
    """Refuse a fabric that could not be built or does not say where its figures come from.

    Raises
    ------
    FabricError
        Naming the figure, what was found and the rule.
    """
    if fabric.schema != SCHEMA:
        raise FabricError(f"fabric.schema: found {fabric.schema}, expected {SCHEMA}")
    if not fabric.tiers:
        raise FabricError("fabric.tiers: found none, expected at least 1")
    names = [tier.name for tier in fabric.tiers]
    if len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
        raise FabricError(f"fabric.tiers: found names {names}, expected different plain words")
    figures = fabric.figures()
    for name, figure in figures.items():
        _check_figure(name, figure, figures, free=name in fabric.constants)
        _check_circle(name, figures, ())
    _check_order(fabric)


def _check_circle(name: str, figures: Mapping[str, Figure], above: tuple[str, ...]) -> None:
    if name in above:
        raise FabricError(f"{name}.formula: found one that leads back to it, expected an origin")
    formula = figures[name].formula
    for part in names_in(formula) if formula is not None else ():
        _check_circle(part, figures, (*above, name))


def _check_figure(name: str, figure: Figure, figures: Mapping[str, Figure], *, free: bool) -> None:
    field = name.split(".")[1] if "." in name else name
    if not free:
        unit, least, largest = _RULES[field]
        if figure.unit != unit:
            raise FabricError(f"{name}.unit: found {figure.unit!r}, expected {unit!r}")
        for bound in (figure.value, figure.low, figure.high):
            if bound is not None and not least <= bound <= largest:
                raise FabricError(
                    f"{name}: found {bound:g} {unit}, expected {least:g} to {largest:g}"
                )
    if not math.isfinite(figure.value) or not figure.unit.strip():
        raise FabricError(
            f"{name}: found {figure.value} {figure.unit!r}, expected a number and a unit"
        )
    if not figure.source.strip():
        raise FabricError(f"{name}.source: found nothing, expected where the figure comes from")
    if not re.fullmatch(r"(19|20)\d\d(-[01]\d(-[0-3]\d)?)?", figure.date):
        raise FabricError(
            f"{name}.date: found {figure.date!r}, expected YYYY, YYYY-MM or YYYY-MM-DD"
        )
    _check_range(name, figure)
    if (figure.status == "derived") != (figure.formula is not None):
        raise FabricError(
            f"{name}: found status {figure.status}, expected a formula if, only if, derived"
        )
    if figure.formula is not None:
        follows = evaluate_formula(figure.formula, figures)
        if not math.isclose(follows, figure.value, rel_tol=_TOLERANCE):
            raise FabricError(
                f"{name}: found {figure.value:g}, expected {follows:g}, which is {figure.formula}"
            )


def _check_range(name: str, figure: Figure) -> None:
    if (figure.low is None) != (figure.high is None):
        raise FabricError(f"{name}: found one of low and high, expected both or neither")
    if figure.low is None or figure.high is None:
        return
    if not figure.low <= figure.value <= figure.high:
        raise FabricError(
            f"{name}: found {figure.value:g}, "
            f"expected its low to its high, {figure.low:g} to {figure.high:g}"
        )
    if figure.low <= 0:
        raise FabricError(f"{name}.low: found {figure.low:g}, expected a number > 0")


def _check_order(fabric: Fabric) -> None:
    for inner, outer in zip(fabric.tiers, fabric.tiers[1:], strict=False):
        if inner.size.value >= outer.size.value:
            raise FabricError(
                f"{outer.name}.size: found {outer.size.value:g}, expected more than the "
                f"{inner.size.value:g} of {inner.name} below it"
            )
    for tier in fabric.tiers:
        if tier.size.value != round(tier.size.value):
            raise FabricError(f"{tier.name}.size: found {tier.size.value}, expected a whole number")
        if set(tier.efficiency) != {"exchange", "all_to_all"}:
            raise FabricError(
                f"{tier.name}.efficiency: found {', '.join(sorted(tier.efficiency)) or 'none'}, "
                "expected all_to_all, exchange"
            )
    if fabric.tiers[-1].size.value < fabric.endpoints.value:
        raise FabricError(
            f"endpoints: found {fabric.endpoints.value:g}, expected at most "
            f"{fabric.tiers[-1].size.value:g}, the size of {fabric.tiers[-1].name}"
        )


def evaluate_formula(formula: str, figures: Mapping[str, Figure]) -> float:
    """Return the value of a formula over figures.

    Raises
    ------
    FabricError
        If it holds anything but numbers, names of figures and + - * / **.
    """
    return _value(_parse(formula), formula, figures)


def names_in(formula: str) -> tuple[str, ...]:
    """Return the figures that a formula names."""
    inside = {node.value for node in ast.walk(_parse(formula)) if isinstance(node, ast.Attribute)}
    return tuple(
        ast.unparse(node)
        for node in ast.walk(_parse(formula))
        if isinstance(node, ast.Attribute | ast.Name)
        and ast.unparse(node) not in map(ast.unparse, inside)
    )


def rests_on_assumption(name: str, figures: Mapping[str, Figure]) -> bool:
    """Whether a figure is assumed, or derived from one that is."""
    figure = figures[name]
    if figure.formula is None:
        return figure.status == "assumed"
    return any(rests_on_assumption(part, figures) for part in names_in(figure.formula))


def _parse(formula: str) -> ast.expr:
    try:
        return ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise FabricError(f"formula: found {formula!r}, expected arithmetic") from error


def _value(node: ast.expr, formula: str, figures: Mapping[str, Figure]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.BinOp() if type(node.op) in _OPERATORS:
            left, right = _value(node.left, formula, figures), _value(node.right, formula, figures)
            try:
                return float(_OPERATORS[type(node.op)](left, right))
            except (ArithmeticError, TypeError) as error:  # TypeError: a complex number
                raise FabricError(f"formula: found {formula!r}, which has no value") from error
        case ast.Name() | ast.Attribute() if ast.unparse(node) in figures:
            return figures[ast.unparse(node)].value
    raise FabricError(
        f"formula: found {ast.unparse(node)!r} in {formula!r}, "
        "expected a number, a figure or + - * / **"
    )
