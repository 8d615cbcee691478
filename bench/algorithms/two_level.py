"""All-reduce in two levels: inside nodes of G ranks, and between the N nodes.

    T = 2 (G-1) a_0 + 2 n (G-1)/G b_0 + T_R(N, n/G; a, b between nodes) + n (G-1)/G c

Reduce-scatter on a ring inside the node, all-reduce of a G-th of the vector between ranks of equal
place (T_R after Rabenseifner), all-gather on the ring. All nodes together send 2 (N-1) n bytes to
other nodes, whatever G and N. Where nodes hold different numbers of ranks, G is the smallest, and
the others hand their vector to one of the first G of their node and get the result back.

Source: Jia et al., "Highly scalable deep learning training system with mixed-precision: training
ImageNet in four minutes", arXiv:1807.11205 (hierarchical all-reduce).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from . import rabenseifner, ring
from .schedule import Group, combine, landing, receive, send

if TYPE_CHECKING:
    from .schedule import Move

__all__ = ["all_reduce"]


def all_reduce(group: Group) -> tuple[Move, ...]:
    """Return the moves of one rank; the group's nodes matter."""
    nodes = group.nodes or (0,) * len(group.members)
    by_node: dict[int, list[int]] = {}
    for member, node in zip(group.members, nodes, strict=True):
        by_node.setdefault(node, []).append(member)
    least = min(len(members) for members in by_node.values())
    inside = by_node[nodes[group.place]]
    place = inside.index(group.members[group.place])
    if place >= least:
        helper = inside[place % least]
        return send(helper, group.held), receive(helper, group.result)
    helped = inside[least + place :: least]
    moves: list[Move] = []
    held = group.held
    for member in helped:
        moves += [receive(member, landing(held)), combine(held)]
        held = group.result
    local = Group(members=tuple(inside[:least]), place=place, held=held)
    across = replace(
        group,
        members=tuple(members[place] for members in by_node.values()),
        place=list(by_node).index(nodes[group.place]),
        held=ring.own_chunk(local) if least > 1 else held,
    )
    return (
        *moves,
        *ring.reduce_scatter(local),
        *rabenseifner.all_reduce(across),
        *ring.all_gather(local),
        *(send(member, group.result) for member in helped),
    )
