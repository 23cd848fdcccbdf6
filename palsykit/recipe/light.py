"""Read a recipe without importing torch: one second instead of ten, if only signatures are needed.

A factory's signature is read from its module, and most modules import torch. Within ``without_torch``, importing a
heavy library returns placeholders: classes may derive from them, and they can be used as decorators, indexed and
calculated with, without effect. Modules imported this way are removed at the end. If a module needs more than a
placeholder offers, the recipe is read again with the real libraries.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from palsykit.recipe.load import Recipe, load_recipe
from palsykit.recipe.problems import RecipeError
from palsykit.recipe.signature import keys_of, model_of
from palsykit.registry import registry

HEAVY = frozenset({"accelerate", "diffusers", "safetensors", "torch", "torchmetrics", "torchvision", "transformers"})
"""Libraries that take seconds to import, or that import one of these."""


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Load a recipe from which no part will be built: imports torch only if necessary.

    Raises:
        RecipeError: lists every problem.
    """
    if HEAVY & sys.modules.keys():
        return load_recipe(path, overrides)
    try:
        with without_torch():
            return load_recipe(path, overrides)
    except RecipeError as error:
        if not any("cannot be loaded" in str(problem) or "Placeholder" in str(problem) for problem in error.problems):
            raise
    return load_recipe(path, overrides)


@contextmanager
def without_torch() -> Iterator[None]:
    """Replace installed libraries in ``HEAVY`` by placeholders; at the end, remove the modules that imported them."""
    before = set(sys.modules)
    plugins = {str(entry.factory).partition(".")[0].partition(":")[0] for entry in registry().entries.values()}
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in sys.modules.keys() - before:
            if name.partition(".")[0] in {"palsykit", *plugins, *HEAVY}:
                del sys.modules[name]
        keys_of.cache_clear()
        model_of.cache_clear()


class _Finder(MetaPathFinder, Loader):
    """Import hook: a placeholder for every module of an installed heavy library."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        library = fullname.partition(".")[0]
        if library not in HEAVY or PathFinder.find_spec(library) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _PlaceholderModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _PlaceholderModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _placeholder(name)


class _Meta(type):
    """Metaclass of placeholders; a class that derives from a placeholder behaves normally."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or cls.__module__ != __name__:
            raise AttributeError(name)
        return _placeholder(name)


class _Placeholder(metaclass=_Meta):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args and callable(args[0]) else _placeholder("call")  # as a decorator: return the function

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _placeholder(name)()

    def __class_getitem__(cls, item: Any) -> Any:
        return cls


def _calculates(self: Any, *others: Any) -> Any:
    return self


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "neg", "getitem"):
    setattr(_Placeholder, f"__{_name}__", _calculates)
    setattr(_Meta, f"__{_name}__", _calculates)


def _placeholder(name: str) -> type:
    return _Meta(f"Placeholder_{name}", (_Placeholder,), {"__module__": __name__})
