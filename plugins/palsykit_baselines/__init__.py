"""Synthesisers that any method must beat."""

from palsykit import hookimpl


@hookimpl
def palsykit_register_synthesisers(register):
    register("copy", "palsykit_baselines.copying:Copy")
