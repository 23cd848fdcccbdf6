"""Recipes: read, checked, resolved; ``build_part`` makes a part of a block."""

from palsykit.recipe.build import build_part
from palsykit.recipe.load import Recipe, load_recipe
from palsykit.recipe.problems import Problem, RecipeError

__all__ = ["Problem", "Recipe", "RecipeError", "build_part", "load_recipe"]
