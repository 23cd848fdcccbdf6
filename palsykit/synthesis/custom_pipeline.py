"""The module that diffusers runs for a folder of palsykit's; ``palsykit export`` writes a copy as pipeline.py."""

from palsykit.synthesis.pipeline import Pipeline

__all__ = ["Pipeline"]
