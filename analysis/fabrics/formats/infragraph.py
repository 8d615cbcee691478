"""InfraGraph (MLCommons): devices, instances and links as JSON, by count and without edge lists.

One device per kind of switch and one endpoint with a NIC; one instance group per tier with as many
members as its switches; one link per tier with bandwidth and latency; one edge per tier that joins
the whole groups. A million endpoints are then a page. Reading takes what such a page says back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ....bench.errors import FabricError

if TYPE_CHECKING:
    from ..fabric import Fabric, Tier

__all__ = ["read_infragraph", "to_infragraph"]


def to_infragraph(fabric: Fabric) -> str:
    """Return the JSON text of an InfraGraph infrastructure.

    Raises
    ------
    FabricError
        If the fabric has no network.
    """
    from ...size import measure_size

    size = measure_size(fabric)
    tiers = [tier for tier in fabric.tiers if tier.switch]
    instances = [_instance("endpoint", "endpoint", size.endpoints)]
    instances += [
        _instance(tier.name, tier.switch, found.switches)
        for tier, found in zip(tiers, size.tiers, strict=True)
    ]
    names = ["endpoint", *(tier.name for tier in tiers)]
    switches = [_device(name, "port", round(switch.ports.value), "port", "switch")
                for name, switch in fabric.switches.items()]  # fmt: skip
    text: dict[str, Any] = {
        "name": fabric.name,
        "description": fabric.title,
        "devices": [_device("endpoint", "nic", 1, "nic", "xpu"), *switches],
        "links": [_link(tier) for tier in tiers],
        "instances": instances,
        "edges": [
            {
                "ep1": {"instance": below, "component": "nic" if below == "endpoint" else "port"},
                "ep2": {"instance": tier.name, "component": "port"},
                "scheme": "many2many",
                "link": tier.name,
            }
            for below, tier in zip(names, tiers, strict=False)
        ],
    }
    return json.dumps(text, indent=2) + "\n"


def _device(name: str, component: str, count: int, kind: str, inside: str) -> dict[str, Any]:
    """Return a device: what computes or switches inside, joined to its NICs or ports."""
    return {
        "name": name,
        "components": [
            {"name": "core", "count": 1, "choice": inside, inside: {}},
            {"name": component, "count": count, "choice": kind, kind: {}},
        ],
        "links": [{"name": "board"}],
        "edges": [
            {
                "ep1": {"component": "core"},
                "ep2": {"component": component},
                "scheme": "many2many",
                "link": "board",
            }
        ],
    }


def _instance(name: str, device: str, count: int) -> dict[str, Any]:
    return {"name": name, "device": device, "count": count}


def _link(tier: Tier) -> dict[str, Any]:
    assert tier.link_rate is not None, "checked at loading"
    return {
        "name": tier.name,
        "physical": {
            "bandwidth": {
                "choice": "gigabits_per_second",
                "gigabits_per_second": tier.link_rate.value / 1e9,
            },
            "latency": {"choice": "ns", "ns": tier.latency.value * 1e9},
        },
    }


def read_infragraph(text: str) -> dict[str, tuple[int, float]]:
    """Return instance group -> number of devices, and rate of the link below in bit/s (0: none).

    Raises
    ------
    FabricError
        If the text is no JSON, or lacks what an infrastructure has.
    """
    try:
        found = json.loads(text)
        below = {edge["ep2"]["instance"]: edge["link"] for edge in found["edges"]}
        rates = {link["name"]: _rate(link) for link in found["links"]}
        return {
            group["name"]: (int(group["count"]), rates.get(below.get(group["name"], ""), 0.0))
            for group in found["instances"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise FabricError(
            f"infragraph: found {type(error).__name__} at {error}, expected devices, links, "
            "instances and edges as JSON"
        ) from error


def _rate(link: dict[str, Any]) -> float:
    bandwidth = link["physical"]["bandwidth"]
    if "gigabits_per_second" in bandwidth:
        return float(bandwidth["gigabits_per_second"]) * 1e9
    return float(bandwidth["gigabytes_per_second"]) * 8e9
