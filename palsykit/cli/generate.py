"""``palsykit generate``: one picture, or a row of severities, from a trained run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from palsykit.cli.arguments import RunFolderArgument, existing_picture, existing_run
from palsykit.errors import PalsykitError

Identity = Annotated[
    Path,
    typer.Option(
        "--identity",
        metavar="IMAGE",
        help="Whose face: a square face crop; with --expression, at rest and without a palsy.",
        show_default=False,
    ),
]
Driver = Annotated[
    Path | None,
    typer.Option("--driver", metavar="IMAGE", help="Whose expression: a square face crop.", show_default=False),
]
Rest = Annotated[
    Path | None,
    typer.Option(
        "--rest",
        metavar="IMAGE",
        help="With --driver: its person at rest and without a palsy; carries over movement, not proportions.",
        show_default=False,
    ),
]
Expression = Annotated[
    str | None,
    typer.Option(
        "--expression", metavar="NAME", help="An expression by name, as smile_full, in the driver's place.",
        show_default=False,
    ),
]  # fmt: skip
AffectedSide = Annotated[
    str | None,
    typer.Option("--side", help="With --expression: the subject's affected side, left, right, bilateral or none."),
]
Severity = Annotated[
    str | None,
    typer.Option(
        "--severity", metavar="GRADE", help="House-Brackmann grade, 1 to 6; several (1..6 or 1,3,6) make a row."
    ),
]


@dataclass(frozen=True)
class ByName:
    """An expression asked for by name; ``grades`` is empty where no severity was."""

    expression: str
    side: str | None
    grades: tuple[float, ...]

    @property
    def slug(self) -> str:
        """For a file's name."""
        shown = "-".join(f"{grade:g}" for grade in self.grades)
        return "-".join(word for word in (self.expression, self.side, shown) if word)


def command(
    run: RunFolderArgument,
    identity: Identity,
    driver: Driver = None,
    rest: Rest = None,
    expression: Expression = None,
    side: AffectedSide = None,
    severity: Severity = None,
    strength: Annotated[
        float, typer.Option("--strength", help="With --expression: of the movement on a healthy side, 0 to 1.")
    ] = 1.0,
    poser: Annotated[
        str | None, typer.Option("--poser", metavar="NAME", help="What makes the driver; the recipe's if omitted.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the noise; the same seed gives the same picture.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PNG", help="IDENTITY-DRIVER-SEED.png here if omitted.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option("--guidance", help="Classifier-free guidance; the recipe's if omitted, 1 is none.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing output file.")] = False,
) -> None:
    """Synthesise one picture: this person, that face. The face is a driver's, or an expression by name."""
    existing_run(run)
    existing_picture("--identity", identity)
    named = by_name(driver, expression, side, severity)
    _check_rest(rest, named)
    how = named.slug if named is not None else existing_picture("--driver", driver or Path()).stem
    target = writable(output or Path(f"{identity.stem}-{how}-{seed}.png"), force)

    from palsykit.run.front import load

    model = load(run, poser=poser)
    if named is None:
        picture = model.generate(identity=identity, driver=driver, rest=rest, seed=seed, guidance=guidance)
    elif len(named.grades) > 1:
        picture, _ = model.dial(
            identity=identity,
            expression=named.expression,
            side=str(named.side),
            severities=named.grades,
            strength=strength,
            seed=seed,
            guidance=guidance,
        )
    else:
        picture = model.generate(
            identity=identity,
            expression=named.expression,
            side=named.side,
            severity=named.grades[0] if named.grades else None,
            strength=strength,
            seed=seed,
            guidance=guidance,
        )
    picture.save(target, format="PNG")
    print(target)


def _check_rest(rest: Path | None, named: ByName | None) -> None:
    if rest is None:
        return
    existing_picture("--rest", rest)
    if named is not None:
        raise PalsykitError(f"--rest {rest} with --expression, which needs no driver; leave --rest out")


def by_name(driver: Path | None, expression: str | None, side: str | None, severity: str | None) -> ByName | None:
    """What was asked for by name; None for a driver's photograph.

    Raises:
        PalsykitError: both or neither, or labels that do not go together.
    """
    from palsykit.faces.asking import asked, grades_of

    if expression is None:
        given = [name for name, value in (("--side", side), ("--severity", severity)) if value is not None]
        if driver is None:
            raise PalsykitError("generate: neither --driver IMAGE nor --expression NAME; give the one or the other")
        if given:
            raise PalsykitError(
                f"{' and '.join(given)} with --driver, whose photograph shows them; leave them out, or ask by name: "
                "--expression NAME --side SIDE --severity GRADE"
            )
        return None
    if driver is not None:
        raise PalsykitError(
            f"--driver {driver} and --expression {expression}: the face comes from one of them; leave the other out"
        )
    grades = tuple(grades_of(severity)) if severity is not None else ()
    for grade in grades or (None,):
        asked(expression, side, grade)
    return ByName(expression, side, grades)


def writable(target: Path, force: bool) -> Path:
    """``target``, where a PNG may be written.

    Raises:
        PalsykitError: no PNG, no such folder, or a file that is there already and no ``--force``.
    """
    if target.suffix.lower() != ".png":
        raise PalsykitError(f"--output {target}: suffix {target.suffix or 'missing'}, expected .png")
    if not target.parent.is_dir():
        raise PalsykitError(f"--output {target}: there is no folder {target.parent}; make it first")
    if target.is_dir() or (target.exists() and not force):
        step = "choose another name" if target.is_dir() else "choose another --output, or write over it with --force"
        raise PalsykitError(f"--output {target}: is there already; {step}")
    return target
