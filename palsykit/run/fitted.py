"""Parts whose networks are ready to be read, for who measures a network rather than a model."""

from collections.abc import Sequence
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.recipe import load_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.train import restore_fits


def parts_of(run: Path | None, weights: str, recipe: Path, changes: Sequence[str]) -> Parts:
    """The networks of a run, or of a recipe with the points network's weights from a file.

    Raises:
        PalsykitError: the run has not fitted all of its networks.
    """
    if run is None:
        return Parts(load_recipe(recipe, [f"networks.points.weights={weights}", *changes]))
    folder = RunFolder(run)
    parts = Parts(load_recipe(folder.recipe, changes))
    files = [folder.networks / f"{block.network}.safetensors" for block in parts.fits]
    if missing := [str(file) for file in files if not file.is_file()]:
        raise PalsykitError(f"{run}: no {', '.join(missing)}; go on with the run until its networks are fitted")
    restore_fits(folder, parts)
    return parts
