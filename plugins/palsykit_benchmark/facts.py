"""The facts that a benchmark's figures depend on: judges' weights, seeds, people, plugins, source and machine."""

from pathlib import Path
from typing import Any

import yaml

from palsykit.files.hashes import sha256
from palsykit.files.provenance import SHOWN, as_facts, provenance
from palsykit.files.resources import locate
from palsykit.run.folder import RunFolder
from palsykit.training.processes import accelerator
from palsykit_benchmark.plan import Plan


def facts_of(plan: Plan) -> dict[str, str]:
    """The facts: name -> value."""
    judges = next(iter(plan.judges.values()))
    recipes = [recipe.resolved for recipe in plan.judges.values()]
    recipes += [job.recipe.resolved for job in plan.jobs if job.recipe is not None]
    files = [RunFolder(job.run).recipe for job in plan.jobs if job.run is not None]
    recipes += [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    origin = provenance(recipes, accelerator().device, command="benchmark")
    return {
        "judges": weights_of(judges.resolved["networks"], judges.path.parent),
        "seeds": ", ".join(map(str, plan.settings.seeds)),
        "people": ", ".join(f"{name}: {recipe.settings.data.use}" for name, recipe in plan.judges.items()),
        **as_facts(origin),
    }


def weights_of(networks: dict[str, dict[str, Any]], beside: Path) -> str:
    """The networks' files, each with the first digits of its SHA-256; "untrained" if no network has one.

    Args:
        networks: name -> block of a resolved recipe.
        beside: the folder that relative paths start from.
    """
    named = [block.get("weights") for block in networks.values()]
    files = [locate(str(name), beside) for name in named if name is not None]
    hashes = [f"{file.stem} {sha256(file)[:SHOWN]}" for file in files]
    return ", ".join(hashes) or "untrained"
