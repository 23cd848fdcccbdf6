"""``palsykit check``: report all problems of a recipe at once."""

from palsykit.cli.arguments import Overrides, RecipeFile


def command(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Check a recipe without running it. Every key of every part is checked; all problems are listed."""
    from palsykit.recipe.light import read_recipe

    checked = read_recipe(recipe, overrides or [])
    print(f"{recipe}: no problems (name {checked.name}, hash {checked.hash[:12]})")
