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

    from .fabric import Fabric, Figure, Routing, Trait

__all__ = [
    "check_fabric",
    "check_facts",
    "check_origin",
    "evaluate_formula",
    "names_in",
    "rests_on_assumption",
]

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
    "link_rate": ("bit/s", 1e9, 1e14),
    "optical_ends": ("ends/link", 0, 2),
    "nic_rate": ("bit/s", 1e9, 1e14),
    "planes_per_nic": ("1", 1, 64),
    "rail_planes": ("1", 1, 1024),
    "rails": ("1", 1, 1024),
    "optic_energy": ("J/bit", 1e-14, 1e-9),
    "optic_price": ("USD", 1, 1e6),
    "ports": ("ports", 2, 1e5),
    "port_rate": ("bit/s", 1e9, 1e14),
    "power": ("W", 1, 1e6),
    "price": ("USD", 100, 1e8),
    "all_in": ("W", 50, 2e4),  # from an idle card to five times the hottest rack's share
    "supply": ("W", 1e5, 1e11),
    "peak": ("flop/s", 1e12, 1e18),
    "hardware": ("USD", 1e2, 1e7),
    "network_share": ("1", 0.001, 0.9),
    "failure.rate": ("failures/node-day", 1e-6, 10),
    "node": ("ranks", 1, 1e5),
}
_WHOLE = frozenset({"endpoints", "size", "ports", "planes_per_nic", "rail_planes", "rails", "node"})
_LEAST_SHARE = 50.0  # W of supply per endpoint: less is a slip between MW and GW
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
        if name not in fabric.constants:
            _check_bounds(name, figure)
    for name, figure in figures.items():
        _check_figure(name, figure, figures)
        _check_circle(name, figures, ())
    for tier in fabric.tiers:
        for trait in ("routing", "in_network_reduction"):
            check_origin(f"{tier.name}.{trait}", getattr(tier, trait))
    _check_order(fabric)
    _check_network(fabric)
    _check_supply(fabric)


def check_facts(facts: Mapping[str, Figure]) -> None:
    """Refuse shared figures without unit, source, status or date, or that do not follow.

    Raises
    ------
    FabricError
        Naming the figure, what was found and the rule.
    """
    for name, figure in facts.items():
        _check_figure(name, figure, facts)
        _check_circle(name, facts, ())


def _check_circle(name: str, figures: Mapping[str, Figure], above: tuple[str, ...]) -> None:
    if name in above:
        raise FabricError(f"{name}.formula: found one that leads back to it, expected an origin")
    formula = figures[name].formula
    for part in names_in(formula) if formula is not None else ():
        _check_circle(part, figures, (*above, name))


def _check_figure(name: str, figure: Figure, figures: Mapping[str, Figure]) -> None:
    if not math.isfinite(figure.value) or not figure.unit.strip():
        raise FabricError(
            f"{name}: found {figure.value} {figure.unit!r}, expected a number and a unit"
        )
    check_origin(name, figure)
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


def _check_bounds(name: str, figure: Figure) -> None:
    parts = name.split(".")
    field = name if name in _RULES else parts[1] if len(parts) > 1 else name
    unit, least, largest = _RULES[field]
    if figure.unit != unit:
        raise FabricError(f"{name}.unit: found {figure.unit!r}, expected {unit!r}")
    for bound in (figure.value, figure.low, figure.high):
        if bound is not None and not least <= bound <= largest:
            raise FabricError(f"{name}: found {bound:g} {unit}, expected {least:g} to {largest:g}")
    if field in _WHOLE and figure.value != round(figure.value):
        raise FabricError(f"{name}: found {figure.value}, expected a whole number")
    if field == "ports" and figure.value % 2:
        raise FabricError(
            f"{name}: found {figure.value:g}, expected an even number: half of a leaf's ports go up"
        )


def check_origin(name: str, found: Figure | Trait | Routing) -> None:
    """Refuse what does not say where it comes from and when.

    Raises
    ------
    FabricError
        Naming the field.
    """
    if not found.source.strip():
        raise FabricError(f"{name}.source: found nothing, expected where the figure comes from")
    if not re.fullmatch(r"(19|20)\d\d(-[01]\d(-[0-3]\d)?)?", found.date):
        raise FabricError(
            f"{name}.date: found {found.date!r}, expected YYYY, YYYY-MM or YYYY-MM-DD"
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


def _check_network(fabric: Fabric) -> None:
    """Refuse tiers whose switches do not have the ports for their endpoints."""
    from .clos import check_ports

    for tier in fabric.tiers:
        parts = (tier.switch != "", tier.link_rate is not None, tier.optical_ends is not None)
        if len(set(parts)) > 1:
            raise FabricError(
                f"{tier.name}: found some of switch, link_rate, optical_ends, "
                "expected all or none of them"
            )
        if tier.switch and tier.switch not in fabric.switches:
            raise FabricError(
                f"{tier.name}.switch: found {tier.switch!r}, "
                f"expected one of {', '.join(fabric.switches) or 'the switches of the file'}"
            )
        if tier.routing.queue_pairs < 1:
            raise FabricError(
                f"{tier.name}.routing.queue_pairs: found {tier.routing.queue_pairs}, "
                "expected at least 1"
            )
        _check_points(f"{tier.name}.routing.points", tier.routing)
    if fabric.network is not None:
        check_ports(fabric)


def _check_points(name: str, routing: Routing) -> None:
    """Refuse scales that do not rise, and efficiencies that are none."""
    if (routing.value == "measured") != bool(routing.points):
        raise FabricError(
            f"{name}: found {len(routing.points)} with routing {routing.value}, expected some if, "
            "only if, it is measured"
        )
    scales = [ranks for ranks, *_ in routing.points]
    if scales != sorted(set(scales)) or min(scales, default=1) < 1:
        raise FabricError(f"{name}: found ranks {scales}, expected rising numbers of at least 1")
    least, largest = _RULES["efficiency"][1:]
    for ranks, *shares in routing.points:
        if not all(least <= share <= largest for share in shares):
            raise FabricError(
                f"{name}: found {shares} at {ranks:g} ranks, expected {least:g} to {largest:g}"
            )


def _check_supply(fabric: Fabric) -> None:
    for name, figure in fabric.power.supply.items() if fabric.power else ():
        share = figure.value / fabric.endpoints.value
        if share < _LEAST_SHARE:
            raise FabricError(
                f"power.supply.{name}: found {figure.value:g} W for {fabric.endpoints.value:g} "
                f"endpoints, {share:g} W each, expected at least {_LEAST_SHARE:g} W each"
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
