"""The benchmark suite: systems x data x protocols x seeds from one recipe, resumable, with intervals and paired tests.

    palsykit benchmark recipes/benchmark.yaml

1. A benchmark's recipe (schema.py) becomes a plan of jobs (plan.py, compose.py): one system with one seed each.
2. Jobs are trained, synthesised and measured one after another (jobs.py, examine.py).
3. Their values become figures with intervals and paired tests (figures.py, inference.py).
4. Figures become tables, data files and the page (tables.py, lines.py, page.py, pictures.py, write.py).
"""

from palsykit import hookimpl
from palsykit.hookspecs import RegisterCommand


@hookimpl
def palsykit_register_commands(register: RegisterCommand) -> None:
    register(
        "benchmark",
        "palsykit_benchmark.command:command",
        help="Train and compare systems: tables, tests and pictures in one report.",
    )
