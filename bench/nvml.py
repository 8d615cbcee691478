"""Facts and readings of this rank's GPU, from the driver's management library (nvidia-ml-py).

Every question may be one that a device or driver does not answer: then the field stays unknown.
Functions and constants are those of NVIDIA's module ``pynvml``; tests give another object with the
same names.
"""

from __future__ import annotations

from typing import Any

from .environment import Gpu
from .observation import Reading

__all__ = ["Monitor", "open_monitor"]

_MOST_LINKS = 36  # NVLinks that NVML numbers (NVML_NVLINK_MAX_LINKS); a GB200 has 18


def open_monitor(uuid: str, library: Any = None) -> Monitor | None:
    """Return the monitor of a device; None without nvidia-ml-py, driver, or such a device.

    Parameters
    ----------
    uuid : 32 hexadecimal digits
    library : the module ``pynvml``, or what stands for it
    """
    if not uuid:
        return None
    library = library or _installed()
    if library is None:
        return None
    text = f"GPU-{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:]}"
    try:
        library.nvmlInit()
        return Monitor(library, library.nvmlDeviceGetHandleByUUID(text), uuid)
    except library.NVMLError:
        return None


def _installed() -> Any:
    """The module of nvidia-ml-py, None without."""
    try:
        import pynvml
    except ImportError:
        return None
    return pynvml


class Monitor:
    """One GPU as NVML sees it."""

    def __init__(self, library: Any, handle: Any, uuid: str) -> None:
        self._library, self._handle, self._uuid = library, handle, uuid

    def facts(self) -> Gpu:
        """Return what does not change during a launch."""
        nvml = self._library
        pci = self._about(None, "nvmlDeviceGetPciInfo")
        ecc = self._about(None, "nvmlDeviceGetEccMode")  # current, after the next reboot
        return Gpu(
            uuid=self._uuid,
            name=_text(self._about("", "nvmlDeviceGetName")),
            driver=_text(self._ask("", "nvmlSystemGetDriverVersion")),
            bus=_text(pci.busId) if pci else "",
            ecc=ecc[0] if ecc else -1,
            power_limit_mw=self._about(-1, "nvmlDeviceGetEnforcedPowerLimit"),
            most_sm_mhz=self._about(-1, "nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
            pcie_generation=self._about(-1, "nvmlDeviceGetCurrPcieLinkGeneration"),
            pcie_lanes=self._about(-1, "nvmlDeviceGetCurrPcieLinkWidth"),
            nvlinks=self._links(),
            peers=self._peers(),
        )

    def reading(self) -> Reading:
        """Return what changes: clocks, power, temperature, throttling, errors."""
        nvml = self._library
        errors = nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        return Reading(
            sm_mhz=self._about(-1, "nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
            memory_mhz=self._about(-1, "nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
            power_mw=self._about(-1, "nvmlDeviceGetPowerUsage"),
            temperature_c=self._about(-1, "nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
            throttle=self._about(-1, "nvmlDeviceGetCurrentClocksThrottleReasons"),
            ecc_errors=self._about(-1, "nvmlDeviceGetTotalEccErrors", *errors),
        )

    def _ask(self, unknown: Any, function: str, *arguments: Any) -> Any:
        """The answer, or what stands for none; modules of other versions lack some functions."""
        try:
            return getattr(self._library, function)(*arguments)
        except (self._library.NVMLError, AttributeError):
            return unknown

    def _about(self, unknown: Any, function: str, *arguments: Any) -> Any:
        return self._ask(unknown, function, self._handle, *arguments)

    def _links(self) -> int:
        """NVLinks that are up; -1 for a device that has none to ask for."""
        links = range(_MOST_LINKS)
        states = [self._about(None, "nvmlDeviceGetNvLinkState", link) for link in links]
        known = [state for state in states if state is not None]
        return sum(state == self._library.NVML_FEATURE_ENABLED for state in known) if known else -1

    def _peers(self) -> dict[str, str]:
        """UUID of every other GPU of the node -> the way there: nvlink, or as nvidia-smi topo."""
        nvml = self._library
        names = {
            nvml.NVML_TOPOLOGY_INTERNAL: "board",
            nvml.NVML_TOPOLOGY_SINGLE: "pix",
            nvml.NVML_TOPOLOGY_MULTIPLE: "pxb",
            nvml.NVML_TOPOLOGY_HOSTBRIDGE: "phb",
            nvml.NVML_TOPOLOGY_NODE: "node",
            nvml.NVML_TOPOLOGY_SYSTEM: "sys",
        }
        found = {}
        for index in range(self._ask(0, "nvmlDeviceGetCount")):
            other = self._ask(None, "nvmlDeviceGetHandleByIndex", index)
            text = "" if other is None else _text(self._ask("", "nvmlDeviceGetUUID", other))
            uuid = text.removeprefix("GPU-").replace("-", "")
            if not uuid or uuid == self._uuid:
                continue
            kind = nvml.NVML_P2P_CAPS_INDEX_NVLINK
            linked = self._about(None, "nvmlDeviceGetP2PStatus", other, kind)
            level = self._about(None, "nvmlDeviceGetTopologyCommonAncestor", other)
            found[uuid] = "nvlink" if linked == nvml.NVML_P2P_STATUS_OK else names.get(level, "")
        return found


def _text(value: Any) -> str:
    """Text from NVML: bytes from its older modules."""
    return value.decode() if isinstance(value, bytes) else str(value)
