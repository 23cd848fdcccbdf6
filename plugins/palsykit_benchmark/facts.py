"""What a benchmark's figures depend on: the judges' weights, seeds and people, the plugins, the source, the machine."""

import yaml

from palsykit.files.provenance import as_facts, provenance, weights_of
from palsykit.run.folder import RunFolder
from palsykit.training.loop import accelerator
from palsykit_benchmark.plan import Plan


def facts_of(plan: Plan) -> dict[str, str]:
    """Name -> value."""
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
