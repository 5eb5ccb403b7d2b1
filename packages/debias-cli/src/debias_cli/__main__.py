"""`python -m debias_cli`."""

from debias_cli.cli import main

main()
