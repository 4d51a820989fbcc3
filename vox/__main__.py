"""`python -m vox` is `vox`."""

from .cli import main

main()
