"""``palsykit synthesize``: labelled pictures in bulk from a trained run."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palsykit.cli.arguments import RunFolderArgument, existing_run
from palsykit.commands import resumable
from palsykit.data.rejections import NAME as REJECTED
from palsykit.errors import PalsykitError
from palsykit_audit.audit_command import Judges, Network, TrainedOn, look_at
from palsykit_audit.whose import number_or_folder

if TYPE_CHECKING:
    from palsykit_audit.audit import Options
    from palsykit_audit.bulk import Order
    from palsykit_audit.release import Released


class Resembling(StrEnum):
    """What to do with pictures that resemble a training person who was not asked for."""

    REFUSE = "refuse"
    DROP = "drop"
    KEEP = "keep"


IdentitiesOption = Annotated[
    str,
    typer.Option(
        "--identities",
        metavar="N|DIR",
        help="N people held out from the run's training, or a folder: square face crops, or an imagefolder. "
        "Where a folder is called N: ./N for it, +N for people.",
        show_default=False,
    ),
]
ResemblingOption = Annotated[
    Resembling,
    typer.Option(
        "--resembling",
        help="Pictures nearer to a training person than held-out people are to others: refuse the release, drop them, "
        "or keep them.",
    ),
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="KEY=VALUE",
        help="With N: a key of the run's data set, such as one that gives it more people.",
    ),
]


def command(
    run: RunFolderArgument,
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="A new folder, or one to resume.", show_default=False)],
    identities: IdentitiesOption,
    expressions: Annotated[str, typer.Option("--expressions", help="all, or names separated by commas.")] = "all",
    sides: Annotated[
        str, typer.Option("--sides", help="The subject's affected sides: left, right, bilateral, none.")
    ] = "left,right",
    severities: Annotated[
        str, typer.Option("--severities", help="House-Brackmann grades, as 1..6 or 1,3,6; 1 is healthy, without side.")
    ] = "1..6",
    per_cell: Annotated[int, typer.Option("--per-cell", help="Pictures per person and combination of labels.")] = 1,
    strength: Annotated[
        str,
        typer.Option("--strength", help="Of the movement on a healthy side, 0 to 1; 0.7..1 draws one per picture."),
    ] = "1",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw of people and of every picture's noise.")] = 0,
    guidance: Annotated[
        float | None, typer.Option("--guidance", help="Classifier-free guidance; the recipe's if omitted, 1 is none.")
    ] = None,
    data: DataOption = None,
    poser: Annotated[
        str | None, typer.Option("--poser", metavar="NAME", help="Poser that makes drivers; the recipe's if omitted.")
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Pictures at a time; does not change them.")] = 16,
    resembling: ResemblingOption = Resembling.REFUSE,
    network: Network = None,
    judges: Judges = None,
    trained_on: TrainedOn = None,
) -> None:
    """Synthesise people x expressions x sides x severities, audit and release them. The same command resumes."""
    existing_run(run)
    from palsykit.faces.parsing import cells, expressions_of, grades_of, sides_of

    labels = cells(expressions_of(expressions), sides_of(sides), grades_of(severities))
    span = strengths(strength)
    whose = number_or_folder(identities)
    if data and isinstance(whose, Path):
        raise PalsykitError(
            f"--data with --identities {identities}: expected --identities N, because --data changes the run's data"
        )

    from palsykit_audit.audit import Options
    from palsykit_audit.bulk import Order

    order = Order(tuple(labels), per_cell, seed, guidance, span, batch_size)
    with resumable("The same command resumes."):
        options = Options(network, judges, tuple(trained_on or ()), photographs=0)
        _synthesize(run, folder, whose, order, data or [], poser, resembling, options)


def _synthesize(
    run: Path,
    folder: Path,
    whose: int | Path,
    order: "Order",
    data: list[str],
    poser: str | None,
    resembling: Resembling,
    options: "Options",
) -> None:
    from palsykit.progress import say
    from palsykit.synthesis.front import load
    from palsykit_audit.identities import held_out, in_folder, lines_of
    from palsykit_audit.release import synthesize_and_release

    model, seed = load(run, poser=poser), order.seed
    people = in_folder(model.parts, whose) if isinstance(whose, Path) else held_out(model.parts, whose, seed, data)
    say(f"identities: {people.source}; drivers: their photographs, posed by {model.poser_block().use}")
    if people.left_out:
        say(f"left out: {len(people.left_out)}, listed in {folder / REJECTED}, such as {lines_of(people.left_out)[0]}")
    for note in people.notes[:5]:
        say(f"note: {note}")
    result = synthesize_and_release(model, run, people, order, folder, resembling.value, options)
    done = result.done
    total, cells = done.new + done.existing, len(order.cells)
    print(
        f"{total} pictures of {len(people.persons)} people in {done.images}: {cells} cells, {order.per_cell} per "
        f"person and cell ({done.new} new, {done.existing} existing). "
        f"Counts: {folder / 'counts.csv'}. Contact sheet: {done.sheet}"
    )
    _print_release(result)


def _print_release(result: "Released") -> None:
    """Print whether the data set was released, and the audit's findings."""
    from palsykit_audit.bulk import UNRELEASED

    if result.dropped:
        print(f"Left out: {result.dropped} pictures, in {result.done.images.parent / 'held-back'}.")
    if result.audit is None and result.done.images.name == UNRELEASED:
        print("Not audited, so not released: the data that the model was trained on cannot be read here.")
        return
    if result.audit is None:
        print("Released before; nothing new to audit.")
        return
    from palsykit_audit.html import LEVELS

    for finding in result.audit.findings:
        print(f"{LEVELS[finding.level]} {finding.text}")
    print(look_at(result.page))


def strengths(text: str) -> tuple[float, float]:
    """Parse ``1`` or ``0.7..1`` as (lowest, highest).

    Raises:
        PalsykitError: the text is neither.
    """
    low, dots, high = text.partition("..")
    try:
        span = (float(low), float(high if dots else low))
    except ValueError:
        span = (1.0, 0.0)
    if not 0 <= span[0] <= span[1] <= 1:
        raise PalsykitError(f"--strength {text}: expected 0 (no movement) to 1 (full), or two of them as 0.7..1")
    return span
