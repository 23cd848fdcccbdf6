"""Run a recipe: its stages write into one folder. Importing this package does not import torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palsykit.run.runner import RunSummary, evaluate_run, pictures_again, run_recipe

__all__ = ["RunSummary", "evaluate_run", "pictures_again", "run_recipe"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'palsykit.run' has no attribute {name!r}")
    from palsykit.run import runner

    return getattr(runner, name)
