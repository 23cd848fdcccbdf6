"""The benchmark suite: systems x data x protocols x seeds from one recipe, resumable, with figures that can be trusted.

    palsykit benchmark recipes/benchmark.yaml

A benchmark's recipe (schema.py) becomes a plan of jobs (plan.py), each a run of a system; jobs are trained, synthesised
and measured one by one (jobs.py); figures, intervals and paired tests are made of all of them (figures.py, tests.py);
tables and the page follow (tables.py, page.py, write.py).
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
