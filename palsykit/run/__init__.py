"""A run: stages over a folder, and the front door to what they made."""

from palsykit.run.runner import RunSummary, evaluate_run, run_recipe

__all__ = ["RunSummary", "evaluate_run", "run_recipe"]
