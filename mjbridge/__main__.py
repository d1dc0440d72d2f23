"""`python -m mjbridge`: the `mjbridge` command."""

from mjbridge.cli import main

main()
