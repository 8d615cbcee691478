"""Environment: where a launch ran, as a pure value.

What fills it lives in ``provenance`` (it asks the machine, MPI and the launcher); here are only the
fields, so that a reader needs neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ENVIRONMENT_VARIABLES", "Clock", "Environment", "Gpu", "Location"]

ENVIRONMENT_VARIABLES = (
    "CUDA_",
    "HCOLL_",
    "MPIR_CVAR_",
    "NCCL_",
    "OMPI_MCA_",
    "OMP_",
    "PMIX_MCA_",
    "PRTE_MCA_",
    "UCX_",
)
"""Prefixes of the variables that are recorded. An allow-list: environments hold secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where the ranks are: columns of equal length, one entry per rank; "" or -1 where unknown."""

    host: tuple[str, ...] = ()
    local_rank: tuple[int, ...] = ()
    """Rank among those of the same host."""

    gpu: tuple[str, ...] = ()
    """UUID of the device that the rank uses."""

    nvlink_domain: tuple[str, ...] = ()
    leaf: tuple[str, ...] = ()
    pod: tuple[str, ...] = ()

    @property
    def hosts(self) -> int:
        """Number of different hosts."""
        return len(set(self.host))

    def of(self, ranks: Sequence[int]) -> Location:
        """Return the location of some ranks; columns that do not reach them are left empty."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return Location(
            **{
                name: tuple(column[rank] for rank in ranks)
                if len(column) > max(ranks, default=-1)
                else ()
                for name, column in columns.items()
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """What a GPU is; "" or -1 where it does not say."""

    uuid: str
    """32 hexadecimal digits, as in `Location.gpu`."""

    name: str = ""
    driver: str = ""
    """Version of the driver, such as 580.82.07."""

    bus: str = ""
    """PCIe address."""

    ecc: int = -1
    """1 where memory errors are corrected, else 0."""

    power_limit_mw: int = -1
    most_sm_mhz: int = -1
    pcie_generation: int = -1
    pcie_lanes: int = -1
    nvlinks: int = -1
    """NVLinks that are up."""

    peers: dict[str, str] = field(default_factory=dict)
    """UUID of another GPU of the node -> the way there: ``nvlink``, ``board``, ``pix``, ``pxb``,
    ``phb``, ``node`` or ``sys``, as nvidia-smi topo names them; "" unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The clock that stamped, and what a stamp costs."""

    name: str = ""
    resolution_ns: float = 0.0
    """Smallest step seen between two stamps."""

    stamp_ns: float = 0.0
    """Median cost of taking one stamp."""

    jitter_ns: float = 0.0
    """99th percentile minus median of that cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Machine, software and settings of one launch."""

    created: str = ""
    """Start of the launch: ISO 8601, UTC."""

    command: tuple[str, ...] = ()
    """Command line as the program got it, with absolute files and the numbers of ranks."""

    ranks: int = 0
    """Ranks that took part: those that measured, then those that loaded the network."""

    location: Location = field(default_factory=Location)
    cores_per_host: dict[str, int] = field(default_factory=dict)
    """Host -> cores that the ranks there may use."""

    cpu: str = ""
    gpu: str = ""
    driver: str = ""
    gpus: tuple[Gpu, ...] = ()
    """Every GPU in use that answered, by UUID."""

    warnings: tuple[str, ...] = ()
    """What makes figures of this launch doubtful or not comparable; one line each."""

    operating_system: str = ""
    mpi_library: str = ""
    """The library's own version text, its first line."""

    mpi_library_path: str = ""
    mpi_thread_level: str = ""
    nccl_version: str = ""
    """The library's version and what made its communicators; a stub says that it is one."""

    device_timer_ns: float = 0.0
    """Smallest step seen between times of the device's events; 0 where none was used."""

    packages: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    """Those of the process environment whose names start with an allowed prefix."""

    varied: dict[str, str] = field(default_factory=dict)
    """Variables that the sweep varies from launch to launch, and their values in this one."""

    git_revision: str = ""
    """Revision of the directory that the program was started in; ends in "-dirty" if changed."""

    clock: Clock = field(default_factory=Clock)
    labels: dict[str, str] = field(default_factory=dict)
    """Free facts: job number, cluster, partition, fabric."""

    @property
    def hosts(self) -> int:
        """Number of different hosts."""
        return self.location.hosts
