"""``palsykit usefulness``: train on synthetic faces, test on real ones; add synthetic faces to a few real people.

palsykit synthesize runs/cfcpalsy synthetic --identities 64 --data test=64
palsykit usefulness synthetic/images                                           # 27 small trainings
palsykit usefulness synthetic/images --recipe recipes/usefulness-real.yaml     # photographed people
palsykit usefulness synthetic/images --subjects 5 --seeds 0 --set fits.0.steps=50   # a quick try
"""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palsykit.cli.arguments import Overrides
from palsykit.errors import PalsykitError

if TYPE_CHECKING:
    from palsykit.recipe import Recipe

DEFAULT = Path("recipes/usefulness.yaml")


def command(
    synthetic: Annotated[
        Path,
        typer.Argument(
            metavar="SYNTHETIC", help="An imagefolder, as DEST/images of palsykit synthesize.", show_default=False
        ),
    ],
    recipe: Annotated[
        Path, typer.Option("--recipe", metavar="RECIPE", help="Real people, and the classifier with its training.")
    ] = DEFAULT,
    subjects: Annotated[
        str, typer.Option("--subjects", help="Numbers of real people to train on, separated by commas.")
    ] = "5,10,20,40",
    seeds: Annotated[
        str, typer.Option("--seeds", help="Seeds, separated by commas; every training is done with each.")
    ] = "0,1,2",
    overrides: Overrides = None,
    work: Annotated[Path, typer.Option("--work", metavar="DIR", help="Where classifiers and results go.")] = Path(
        "runs/usefulness"
    ),
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Put the tables into this Markdown page, too.")
    ] = None,
) -> None:
    """Train classifiers on real faces, on synthetic ones and on both; test them on unseen people.

    Each classifier (expression, affected side, severity) is trained for the same number of steps. The same command
    resumes a stopped study. Writes usefulness.md, .jsonl and .svg below --work. If a training fails, it is reported,
    the others are done, and the exit code is 1.
    """
    people, drawn = numbers("--subjects", subjects), numbers("--seeds", seeds)

    from palsykit.files.provenance import as_facts, provenance
    from palsykit.recipe import load_recipe
    from palsykit.training.processes import accelerator
    from palsykit_usefulness.study import Bench, study
    from palsykit_usefulness.writing import write

    def recipe_of(seed: int) -> "Recipe":
        return load_recipe(recipe, [*(overrides or []), f"seed={seed}"])

    bench = Bench(recipe_of, synthetic, work)
    result = study(bench, sorted(set(people)), drawn)
    command_line = shlex.join(["palsykit", *sys.argv[1:]])
    facts = {
        "steps": str(bench.block.steps),
        "seeds": ", ".join(map(str, drawn)),
        **as_facts(provenance(recipe_of(0).resolved, accelerator().device, command="usefulness")),
    }
    # Write and print the results.
    if result.points:
        print(write(result, work, command_line, facts, bench.about, page))
    lines = (work / "usefulness.jsonl").read_text(encoding="utf-8").splitlines() if result.points else []
    points = [json.loads(line) for line in lines]
    report = {"benchmark": "usefulness", "command": command_line, **facts, "failed": result.failed, "points": points}
    print(json.dumps(report))
    if result.failed:
        raise typer.Exit(1)


def numbers(option: str, text: str) -> list[int]:
    """Parse ``5,10,20`` as whole numbers.

    Raises:
        PalsykitError: the text is something else, or a number is below 0.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise PalsykitError(f"{option} {text}: expected whole numbers separated by commas, as in 5,10,20")
    return [int(word) for word in words]
