"""NCCL's topology XML (NCCL_TOPO_DUMP_FILE): one node's GPUs, NVLinks and NICs.

    NVLink rate of a GPU = links x rate of one      NVLink 4 and 5: 25 and 50 GB/s a link, by the
                                                    compute capability that the file gives
    NIC rate = speed, Mbit/s in the file

The file ends at the node: nothing of the network beyond can be read from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from ....bench.errors import FabricError

__all__ = ["Node", "read_nccl_topology"]

# NCCL's own estimates are lower (20.6 and 40.1 GB/s, src/graph/topo.h); these are line rates.
_LINK_BYTES_PER_S = {70: 25e9, 80: 25e9, 90: 25e9, 100: 50e9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What one node has."""

    gpus: int
    nvlink_bytes_per_s: float
    """Of one GPU, one direction; 0 without NVLink."""

    nic_bits_per_s: tuple[float, ...]
    """Of every NIC."""


def read_nccl_topology(text: str) -> Node:
    """Return a node's GPUs and NICs.

    Raises
    ------
    FabricError
        If the text is no XML of this kind, or a number in it is none.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise FabricError("topology: found a document type, expected NCCL's XML, which has none")
    try:
        root = ElementTree.fromstring(text)
        if root.tag != "system":
            raise FabricError(f"topology: found <{root.tag}>, expected <system>")
        gpus = list(root.iter("gpu"))
        rates = [_nvlink_bytes_per_s(gpu) for gpu in gpus]
        nics = tuple(float(net.attrib["speed"]) * 1e6 for net in root.iter("net"))
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        if isinstance(error, FabricError):
            raise
        raise FabricError(f"topology: found {error}, expected NCCL's XML") from error
    if not gpus:
        raise FabricError("topology: found no <gpu>, expected at least 1")
    return Node(gpus=len(gpus), nvlink_bytes_per_s=min(rates), nic_bits_per_s=nics)


def _nvlink_bytes_per_s(gpu: ElementTree.Element) -> float:
    capability = int(gpu.attrib["sm"])
    known = [value for least, value in _LINK_BYTES_PER_S.items() if least <= capability]
    links = sum(int(link.attrib["count"]) for link in gpu.iter("nvlink"))
    return links * (known[-1] if known else 20e9)  # NVLink 1: 20 GB/s
