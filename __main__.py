"""``python -m regnet_ds`` is ``regnet-ds``."""

from .cli import main

main()
