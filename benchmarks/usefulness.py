"""Are synthetic faces of use? Train on synthetic and test on real; add synthetic to a few real people.

    palsykit synthesize runs/cfcpalsy synthetic --identities 64 --data test=64
    python benchmarks/usefulness.py synthetic/images                               # 27 small trainings
    python benchmarks/usefulness.py synthetic/images --recipe recipes/usefulness-real.yaml         # photographed people
    python benchmarks/usefulness.py synthetic/images --subjects 5 --seeds 0 --set fits.0.steps=50   # a slice

A classifier of expression, affected side and severity (recipes/usefulness.yaml) learns from 5, 10, 20 and 40 real
people, from the synthetic pictures, and from both, always for as many steps; it is tested on real people whom nobody
has seen. What is trained is kept below --work, so a stopped study goes on. Writes usefulness.md, .jsonl and .svg there.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.recipe import Recipe, load_recipe
from palsykit.report.results import commit
from palsykit.usefulness.study import Bench, study
from palsykit.usefulness.writing import write

ROOT = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, tests, writes, and ends with a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("synthetic", type=Path, help="an imagefolder, such as DEST/images of palsykit synthesize")
    add("--recipe", type=Path, default=ROOT / "recipes" / "usefulness.yaml")
    add("--subjects", nargs="+", type=int, default=[5, 10, 20, 40], help="real people to train on")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="change the recipe")
    add("--work", type=Path, default=ROOT / "runs" / "usefulness", help="where classifiers and results are kept")
    add("--page", type=Path, help="a Markdown page in which the tables get a section as well")
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given)

    def recipe_of(seed: int) -> Recipe:
        return load_recipe(options.recipe, [*options.set, f"seed={seed}"])

    bench = Bench(recipe_of, options.synthetic, options.work)
    found = study(bench, sorted(set(options.subjects)), options.seeds)
    command = shlex.join(["python", "benchmarks/usefulness.py", *given])
    facts = {"commit": commit(ROOT), "steps": str(bench.block.steps), "seeds": ", ".join(map(str, options.seeds))}
    if found.points:
        print(write(found, options.work, command, facts, bench.about, options.page))
    lines = (options.work / "usefulness.jsonl").read_text(encoding="utf-8").splitlines() if found.points else []
    points = [json.loads(line) for line in lines]
    about = {"benchmark": "usefulness", "command": command, **facts}
    print(json.dumps({**about, "failed": found.failed, "points": points}))
    if found.failed:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except PalsykitError as error:
        print(f"usefulness: {error}", file=sys.stderr)
        sys.exit(2)
