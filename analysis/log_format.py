"""Names of the formats that can be imported; apart from the importers, so that --help is quick."""

FORMATS = ("auto", "nccl-tests", "osu", "imb", "omb-py", "param", "table")
"""What can be asked for."""
