"""Models that ship with palsykit: recipes whose training starts from a shipped model, which works before any training.

Nothing here imports torch, so that a wrong name is refused at once.
"""

from functools import cache
from pathlib import Path

import yaml

from palsykit.files.resources import PACKAGED, locate

DEFAULT = "cfcpalsy"
"""The model that is used if no run is named."""


@cache
def shipped_models() -> dict[str, Path]:
    """Name -> recipe of every shipped model, sorted by name."""
    models = {}
    for file in sorted(locate("palsykit:recipes", Path()).glob("*.yaml")):
        train = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("train") or {}
        if PACKAGED.fullmatch(str(train.get("start") or "")):
            models[file.stem] = file
    return models


def shipped_model(name: str | Path) -> Path | None:
    """The recipe of the shipped model of that name; None if there is none, or if a folder has the same name."""
    return None if Path(name).exists() else shipped_models().get(str(name))
