"""Whether MPI heeds the variables that force its choice of an algorithm.

A library passes over a name that it lacks, and a value that it does not know: its own choice would
then be measured under another's name. What it has, the tools interface says (MPI-4.1, chapter 15):

    OMPI_MCA_coll_tuned_X    is control variable coll_tuned_X of Open MPI
    MPIR_CVAR_X              is control variable MPIR_CVAR_X of MPICH

Values are held to those listed, where the variable has a list. Other names are taken at their word:
those of NCCL, and of Open MPI's components that need not be loaded.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from .errors import CaseError
from .mpi import load_mpi

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_tunables"]

_OPEN_MPI, _TUNED, _MPICH = "OMPI_MCA_", "OMPI_MCA_coll_tuned_", "MPIR_CVAR_"
_LENGTH = 512  # bytes of a name or description; longer ones are cut by MPI


def check_tunables(chosen: Mapping[str, str]) -> None:
    """Refuse variables, of those chosen for a launch, that its MPI does not have.

    Raises
    ------
    CaseError
        If it has no variable of a name, or a list of values without the one chosen.
    """
    for name, value in chosen.items():
        if not name.startswith((_TUNED, _MPICH)):
            continue
        values = _values(name.removeprefix(_OPEN_MPI))
        if values is None:
            raise CaseError(f"vary: found {name}, expected a variable that this MPI has")
        if values and value not in {*values, *map(str, values.values())}:
            raise CaseError(
                f"vary: found {name}={value}, expected one of "
                + ", ".join(f"{number} ({word})" for word, number in values.items())
            )


def _values(name: str) -> dict[str, int] | None:
    """The words that a variable knows with their numbers, none where it has no list.

    None if there is no such variable.
    """
    tools = ctypes.CDLL(load_mpi().__file__)
    number, kind = ctypes.c_int(), ctypes.c_void_p()
    if tools.MPI_T_init_thread(0, ctypes.byref(ctypes.c_int())):
        return {}
    try:
        if tools.MPI_T_cvar_get_index(name.encode(), ctypes.byref(number)):
            return None
        unused = [ctypes.byref(ctypes.c_int()) for _ in range(3)]
        datatype, length = ctypes.c_void_p(), ctypes.byref(ctypes.c_int(_LENGTH))
        text, more = (ctypes.create_string_buffer(_LENGTH) for _ in range(2))
        described = ctypes.byref(ctypes.c_int(_LENGTH))
        failed = tools.MPI_T_cvar_get_info(
            number, text, length, unused[0], ctypes.byref(datatype), ctypes.byref(kind), more,
            described, *unused[1:],
        )  # fmt: skip
        return {} if failed or not kind.value else _listed(tools, kind)
    finally:
        tools.MPI_T_finalize()


def _listed(tools: ctypes.CDLL, kind: ctypes.c_void_p) -> dict[str, int]:
    """The words of an enumeration with their numbers."""
    count, value = ctypes.c_int(), ctypes.c_int()
    text = ctypes.create_string_buffer(_LENGTH)
    length = ctypes.c_int(_LENGTH)
    found: dict[str, int] = {}
    if tools.MPI_T_enum_get_info(kind, ctypes.byref(count), text, ctypes.byref(length)):
        return found
    for index in range(count.value):
        length.value = _LENGTH
        arguments = kind, index, ctypes.byref(value), text, ctypes.byref(length)
        if not tools.MPI_T_enum_get_item(*arguments):
            found[text.value.decode(errors="replace")] = value.value
    return found
