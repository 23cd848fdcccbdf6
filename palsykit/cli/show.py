"""``palsykit show``: print a recipe as it will run, with the origin of each value."""

from pathlib import Path
from typing import TYPE_CHECKING

from palsykit.cli.arguments import Overrides, RecipeFile

if TYPE_CHECKING:
    from palsykit.recipe import Recipe

WIDEST = 60
"""The comments are aligned in one column, at most this far to the right."""


def command(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Print a recipe as it will run. All defaults are filled in; a comment gives each value's origin."""
    from palsykit.recipe.light import read_recipe

    print(annotated(read_recipe(recipe, overrides or [])))


def annotated(recipe: "Recipe") -> str:
    """The resolved recipe as YAML, which is a valid recipe. A comment on each line with a value gives its origin."""
    from palsykit.recipe.read import read_text

    lines = recipe.yaml().rstrip("\n").split("\n")
    origins: dict[int, str] = {}
    for path, spot in read_text("\n".join(lines), "", Path()).spots.items():
        if path and not _opens_a_block(recipe.resolved, path):
            origins.setdefault(int(spot.key.split(":")[1]) - 1, recipe.origins[path])
    column = min(WIDEST, max(len(lines[number]) for number in origins)) + 2
    return "\n".join(
        f"{line:<{column - 2}}  # {origins[number]}" if number in origins else line for number, line in enumerate(lines)
    )


def _opens_a_block(value: object, path: tuple[str | int, ...]) -> bool:
    """Whether the value at ``path`` is a mapping or list that YAML writes over several lines."""
    for part in path:
        value = value[part]  # type: ignore[index]
    return bool(value) and (
        isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value))
    )
