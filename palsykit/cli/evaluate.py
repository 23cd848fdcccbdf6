"""``palsykit evaluate``: compute a trained run's metrics again."""

import json
from typing import Annotated

import typer

from palsykit.cli.arguments import RunFolderArgument, existing_run


def command(
    run: RunFolderArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")] = False,
) -> None:
    """Compute a trained run's metrics again. metrics.json and the report are written again."""
    existing_run(run)

    from palsykit.cli.table import table
    from palsykit.run import evaluate_run

    figures = evaluate_run(run)
    if as_json:
        print(json.dumps(figures, indent=1))
        return
    rows = [(name, "not defined" if value is None else f"{value:.6g}") for name, value in figures.items()]
    print(table(("figure", "value"), rows))
    print(f"Report: {run / 'report.html'}")
