"""``palsykit evaluate``: a trained run's figures once more."""

from palsykit.cli.arguments import RunFolderArgument, existing_run


def command(run: RunFolderArgument) -> None:
    """Measure a trained run's pictures again. metrics.json and the report are made anew."""
    existing_run(run)

    from palsykit.cli.table import table
    from palsykit.run import evaluate_run

    figures = evaluate_run(run)
    rows = [(name, "not defined" if value is None else f"{value:.6g}") for name, value in figures.items()]
    print(table(("figure", "value"), rows))
    print(f"Report: {run / 'report.html'}")
