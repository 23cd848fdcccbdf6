"""``palsykit audit``: do generated faces resemble training people, and does the model reveal who they are?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palsykit.cli.arguments import RunFolderArgument, existing_run
from palsykit.errors import PalsykitError

if TYPE_CHECKING:
    from palsykit_audit.audit import Audit

Network = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="NAME",
        help="The recognition network that compares faces. Default: judge_recognition, else recognition.",
    ),
]
Judges = Annotated[
    Path | None,
    typer.Option("--judges", metavar="RECIPE", help="A recipe that has the network, in place of the run's."),
]
TrainedOn = Annotated[
    list[Path] | None,
    typer.Option(
        "--trained-on",
        metavar="RECIPE",
        help="Its training people count as trained on, too; for example the recipe of the start weights.",
    ),
]


def command(
    run: RunFolderArgument,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DEST",
            help="A folder written by palsykit synthesize. Default: the run's own pictures.",
            show_default=False,
        ),
    ] = None,
    identities: Annotated[
        Path | None,
        typer.Option("--identities", metavar="DIR", help="With DEST: the folder of identities it was made from."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="KEY=VALUE", help="With DEST: the same as for palsykit synthesize."),
    ] = None,
    network: Network = None,
    judges: Judges = None,
    trained_on: TrainedOn = None,
    quantile: Annotated[
        float,
        typer.Option("--quantile", help="The threshold: this quantile of held-out likenesses to strangers."),
    ] = 1.0,
    photographs: Annotated[
        int, typer.Option("--photographs", min=0, help="Photographs per group for the membership attack; 0 skips it.")
    ] = 256,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Where the audit goes. Default: RUN, or RUN/audits/DEST."),
    ] = None,
    gate: Annotated[bool, typer.Option("--gate", help="Exit with code 2 if a picture must be held back.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print audit.json in place of a table.")] = False,
) -> None:
    """Audit the privacy of a run's generated faces, or of a data set. Writes audit.html, audit.json and audit.csv."""
    existing_run(run)
    if folder is None and (identities is not None or data):
        raise PalsykitError("--identities and --data describe the people of DEST, and there is no DEST; name it first")

    from palsykit.synthesis.front import load
    from palsykit_audit.audit import Options, audit_folder, audit_run, identities_of
    from palsykit_audit.release import page_folder
    from palsykit_audit.writing import write

    options = Options(network, judges, tuple(trained_on or ()), quantile, photographs)
    model = load(run)
    if folder is None:
        audit, where = audit_run(model, run, options), output or run
    else:
        people = identities_of(model, folder, identities, data or [])
        audit, where = audit_folder(model, run, folder, people, options), output or page_folder(run, folder)
    page = write(audit, where)
    if as_json:
        print(page.with_suffix(".json").read_text(encoding="utf-8"), end="")
    else:
        print(summary(audit))
        print(f"\n{look_at(page)}")
    if gate and audit.resemblance.flagged:
        raise typer.Exit(2)


def summary(audit: "Audit") -> str:
    """Findings and figures for a terminal."""
    from palsykit.cli.table import table
    from palsykit.report import words
    from palsykit_audit.html import LEVELS

    figures = list(audit.resemblance.figures.values())
    if audit.membership is not None:
        both = (audit.membership.attack, audit.membership.blind)
        figures += [figure for attack in both for figure in (attack.auc, attack.people, attack.caught)]
    rows = [(f.card.name, words.number(f.value), words.interval(f.low, f.high), str(f.count)) for f in figures]
    sentences = "\n".join(f"{LEVELS[finding.level]} {finding.text}" for finding in audit.findings)
    return f"{sentences}\n\n{table(('figure', 'value', '95 % interval', 'n'), rows)}"


def look_at(page: Path | None) -> str:
    """Tell the user what to do with an audit's page."""
    return f"Compare the closest pairs in {page}. It shows training photographs: do not share it."
