"""Parts with trained networks, for the scripts here that measure a network instead of a model."""

from collections.abc import Sequence
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.recipe import load_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.train import restore_fits


def parts_of(run: Path | None, recipe: Path, files: Sequence[str], changes: Sequence[str]) -> Parts:
    """Build the parts with the networks that a run has fitted; without a run, with those of a recipe.

    Args:
        run: a run's folder, or None.
        recipe: used if there is no run.
        files: changes to that recipe only, ``KEY=VALUE``, that name the files of its networks' weights.
        changes: changes to the run's recipe or to that recipe, ``KEY=VALUE``.

    Raises:
        PalsykitError: the run has not fitted all of its networks.
    """
    if run is None:
        return Parts(load_recipe(recipe, [*files, *changes]))
    folder = RunFolder(run)
    parts = Parts(load_recipe(folder.recipe, changes))
    expected = [folder.networks / f"{block.network}.safetensors" for block in parts.fits]
    if missing := [str(file) for file in expected if not file.is_file()]:
        raise PalsykitError(f"{run}: no {', '.join(missing)}; resume the run until its networks are fitted")
    restore_fits(folder, parts)
    return parts
