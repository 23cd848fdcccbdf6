"""How long the command line takes to answer, against importing torch: ``python benchmarks/start_up.py``.

``palsykit --help`` and ``palsykit plugins`` are to take less than a third of ``python -c "import torch"``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from palsykit.cli.table import table

COMMANDS = {"palsykit --help": ["-m", "palsykit", "--help"], "palsykit plugins": ["-m", "palsykit", "plugins"]}


def seconds(arguments: Sequence[str]) -> float:
    """Wall time of one fresh interpreter.

    Raises:
        subprocess.CalledProcessError: the command fails.
    """
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def measure(against: str, repeats: int) -> dict[str, float]:
    """Median seconds by command; the commands take turns, so that what else the machine does meets all alike."""
    commands = {**COMMANDS, against: ["-c", against]}
    for arguments in commands.values():
        seconds(arguments)  # files into the disk cache, bytecode compiled
    rounds = [{name: seconds(arguments) for name, arguments in commands.items()} for _ in range(repeats)]
    return {name: statistics.median(row[name] for row in rounds) for name in commands}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of each command; the median counts")
    parser.add_argument("--against", default="import torch", help="what python -c runs for comparison")
    options = parser.parse_args(arguments)
    medians = measure(options.against, options.repeats)
    ratios = {name: medians[name] / medians[options.against] for name in COMMANDS}
    rows = [(name, f"{value:.3f}", f"{value / medians[options.against]:.3f}") for name, value in medians.items()]
    print(table(("command", "seconds", "ratio"), rows))
    print(json.dumps({"benchmark": "start_up", "repeats": options.repeats, "seconds": medians, "ratios": ratios}))


if __name__ == "__main__":
    main()
