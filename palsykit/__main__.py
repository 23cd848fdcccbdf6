"""``python -m palsykit``."""

from palsykit.cli import main

main()
