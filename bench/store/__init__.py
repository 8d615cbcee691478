"""Values <-> file: a campaign is ``PATH`` and, until it is consolidated, ``PATH.journal``.

HDF5 is never modified in place, so no crash can damage what was finished: a finished launch or
case is appended to the journal as one self-contained HDF5 image, and the file is only ever
replaced whole. Every reader takes both. The format is described in ``docs/file-format.md``.
"""

from __future__ import annotations

from .campaign import (
    append_imported,
    append_launch,
    append_measurement,
    campaign_exists,
    consolidate,
    next_launch_number,
    read_campaign,
    remove_campaign,
    write_campaign,
)
from .lease import Holder, hold_campaign, holder_of, is_alive, lock_of
from .schema import SCHEMA, SCHEMA_VERSION
from .survey import Survey, repair_campaign, survey_campaign

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "Holder",
    "Survey",
    "append_imported",
    "append_launch",
    "append_measurement",
    "campaign_exists",
    "consolidate",
    "hold_campaign",
    "holder_of",
    "is_alive",
    "lock_of",
    "next_launch_number",
    "read_campaign",
    "remove_campaign",
    "repair_campaign",
    "survey_campaign",
    "write_campaign",
]
