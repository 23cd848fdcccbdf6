"""``palsykit evaluate``: compute a trained run's metrics again."""

from palsykit.cli.arguments import RunFolderArgument, existing_run


def command(run: RunFolderArgument) -> None:
    """Compute a trained run's metrics again. metrics.json and the report are written again."""
    existing_run(run)

    from palsykit.cli.table import table
    from palsykit.run import evaluate_run

    figures = evaluate_run(run)
    rows = [(name, "not defined" if value is None else f"{value:.6g}") for name, value in figures.items()]
    print(table(("figure", "value"), rows))
    print(f"Report: {run / 'report.html'}")
