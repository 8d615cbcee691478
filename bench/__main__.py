"""``python -m collcast.bench``: the same as ``collcast``."""

from .cli import main

main()
