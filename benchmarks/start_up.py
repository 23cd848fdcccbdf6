"""Measure the command line's start-up time against importing torch: ``python benchmarks/start_up.py``.

The goal is that ``palsykit --help`` and ``palsykit plugins`` take less than a third of ``python -c "import torch"``.

    python benchmarks/start_up.py --recipe recipes/cfcpalsy.yaml --run runs/cfcpalsy

also measures ``show`` and a failing ``check`` of the recipe, ``run`` when it is finished, and ``generate`` from that
run. The ratio of ``generate`` does not include importing torch and the classes of diffusers that the run uses
(diffusers imports a class when it is first named).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from palsykit.cli.table import table

COMMANDS = {"palsykit --help": ["-m", "palsykit", "--help"], "palsykit plugins": ["-m", "palsykit", "plugins"]}

FAILING, GENERATE, LIBRARIES = "check, failing", "generate", "import torch, diffusers"
IMPORTS = "import torch; from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel"


def of_recipe(recipe: Path | None, run: Path | None, pictures: Path) -> dict[str, list[str]]:
    """The commands that need a recipe, and those that need its finished run; ``generate`` writes to ``pictures``."""
    if recipe is None:
        return {}
    found = {"show": ["show", recipe], FAILING: ["check", recipe, "--set", "nothing_of_this_name=1"]}
    if run is not None:
        face = sorted((run / "images" / "generated").glob("*.png"))[0]
        faces = ["--identity", face, "--driver", face, "--output", pictures / "face.png", "--force"]
        found |= {"run, finished": ["run", recipe, "--output", run], GENERATE: ["generate", run, *faces]}
    named = {name: ["-m", "palsykit", *map(str, arguments)] for name, arguments in found.items()}
    return named | ({LIBRARIES: ["-c", IMPORTS]} if GENERATE in named else {})


def ratios_of(medians: dict[str, float], against: str) -> dict[str, float]:
    """Each command's seconds / those of ``against``; for ``generate`` without importing torch and diffusers."""
    own = {name: value for name, value in medians.items() if name not in (against, LIBRARIES)}
    if GENERATE in own:
        own[GENERATE] -= medians[LIBRARIES]
    return {name: value / medians[against] for name, value in own.items()}


def seconds(arguments: Sequence[str], code: int = 0) -> float:
    """Wall time of one fresh interpreter.

    Raises:
        subprocess.CalledProcessError: the command ends with another exit code than ``code``.
    """
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True)
    took = time.perf_counter() - began
    if done.returncode != code:
        raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
    return took


def measure(commands: dict[str, list[str]], repeats: int) -> dict[str, float]:
    """Median seconds by command. The commands run in turn, so that other load on the machine affects all equally."""
    codes = {FAILING: 2}
    for name, arguments in commands.items():
        seconds(arguments, codes.get(name, 0))  # warm-up: disk cache and bytecode
    rounds = [
        {name: seconds(arguments, codes.get(name, 0)) for name, arguments in commands.items()} for _ in range(repeats)
    ]
    return {name: statistics.median(row[name] for row in rounds) for name in commands}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of each command, of which the median is reported")
    parser.add_argument("--against", default="import torch", help="what python -c runs for comparison")
    parser.add_argument("--recipe", type=Path, help="also measure show and a failing check of it")
    parser.add_argument("--run", type=Path, help="the recipe's finished run: also measure run and generate")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as pictures:
        more = of_recipe(options.recipe, options.run, Path(pictures))
        medians = measure({**COMMANDS, **more, options.against: ["-c", options.against]}, options.repeats)
    ratios = ratios_of(medians, options.against)
    ratio = {name: ratios.get(name, value / medians[options.against]) for name, value in medians.items()}
    rows = [(name, f"{value:.3f}", f"{ratio[name]:.3f}") for name, value in medians.items()]
    print(table(("command", "seconds", "ratio"), rows))
    print(json.dumps({"benchmark": "start_up", "repeats": options.repeats, "seconds": medians, "ratios": ratios}))


if __name__ == "__main__":
    main()
