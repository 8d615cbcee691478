"""Formats of other tools."""

from __future__ import annotations

import json
from math import prod

import pytest

from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fabrics.formats import EXPORTERS, read_infragraph, read_nccl_topology
from collcast.analysis.size import measure_size
from collcast.bench.errors import FabricError

MPFT = load_fabric("deepseek-mpft")
XML = """<system version="1">
  <cpu numaid="0" arch="x86_64" vendor="GenuineIntel">
    <pci busid="0000:1b:00.0" class="0x030200" link_speed="32.0 GT/s PCIe" link_width="16">
      <gpu dev="0" sm="90" rank="0" gdr="1"><nvlink target="0000:04:00.0" count="18" tclass="0x0"/></gpu>
    </pci>
    <pci busid="0000:2b:00.0" class="0x030200">
      <gpu dev="1" sm="90" rank="1" gdr="1"><nvlink target="0000:04:00.0" count="18" tclass="0x0"/></gpu>
    </pci>
    <nic><net name="mlx5_0" dev="0" speed="400000" port="1" gdr="1"/></nic>
  </cpu>
</system>
"""  # noqa: E501


def test_astra_sim_has_one_dimension_per_tier():
    text = EXPORTERS["astra-sim"](MPFT)
    values = {}
    for line in text.splitlines()[1:]:
        name, _, rest = line.partition(": ")
        values[name] = rest.partition("#")[0].strip(" []").split(", ")
    assert {len(found) for found in values.values()} == {3}
    assert prod(map(int, values["npus_count"])) == 16_384
    assert float(values["bandwidth"][0]) == pytest.approx(160)
    assert float(values["latency"][2]) == pytest.approx(3700 + 50 * 4.9)


def test_infragraph_comes_back():
    groups = read_infragraph(EXPORTERS["infragraph"](MPFT))
    assert groups == {
        "endpoint": (16_384, 0.0),
        "leaf": (512, 400e9),
        "spine": (256, 400e9),
    }


@pytest.mark.parametrize("name", ["deepseek-mpft", "colossus-2"])
def test_infragraph_s_own_library_reads_it(name):
    infragraph = pytest.importorskip("infragraph")
    found = infragraph.Infrastructure()
    found.deserialize(EXPORTERS["infragraph"](load_fabric(name)))
    size = measure_size(load_fabric(name))
    assert [group.count for group in found.instances] == [
        size.endpoints,
        *(tier.switches for tier in size.tiers),
    ]
    assert all(link.physical.latency.ns > 1000 for link in found.links)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"edges": [], "links": [{}]})])
def test_no_infragraph(text):
    with pytest.raises(FabricError, match="infragraph: found"):
        read_infragraph(text)


def test_nccl_topology():
    node = read_nccl_topology(XML)
    assert (node.gpus, node.nic_bits_per_s) == (2, (400e9,))
    assert node.nvlink_bytes_per_s == 450e9


@pytest.mark.parametrize(
    "text",
    ["", "<graphs/>", "<system/>", XML.replace('sm="90"', 'sm="x"'), XML.replace("speed", "sped"),
     "<!DOCTYPE x [<!ENTITY a 'b'>]><system/>"],
)  # fmt: skip
def test_no_nccl_topology(text):
    with pytest.raises(FabricError, match="topology: found"):
        read_nccl_topology(text)
