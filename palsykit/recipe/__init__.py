"""Recipes: read, check and resolve them; ``build_part`` builds a part from a block."""

from palsykit.recipe.build import build_part
from palsykit.recipe.load import Recipe, load_recipe
from palsykit.recipe.problems import Problem, RecipeError

__all__ = ["Problem", "Recipe", "RecipeError", "build_part", "load_recipe"]
