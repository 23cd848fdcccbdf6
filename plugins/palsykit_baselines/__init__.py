"""Baseline synthesisers, which any method must beat."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_synthesisers(register: Register) -> None:
    register("copy", "palsykit_baselines.copying:Copy")
    register("warp", "palsykit_baselines.warping:Warp")
