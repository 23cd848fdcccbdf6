"""``palsykit generate``: synthesise one picture, or one row of severities, with a trained run."""

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
        help="The person: a square face crop. With --expression: at rest and without a palsy.",
        show_default=False,
    ),
]
Driver = Annotated[
    Path | None,
    typer.Option("--driver", metavar="IMAGE", help="The expression: a square face crop.", show_default=False),
]
Rest = Annotated[
    Path | None,
    typer.Option(
        "--rest",
        metavar="IMAGE",
        help="With --driver: the driver's person at rest and without a palsy. Transfers movement, not proportions.",
        show_default=False,
    ),
]
Expression = Annotated[
    str | None,
    typer.Option(
        "--expression", metavar="NAME", help="An expression by name, for example smile_full. Replaces --driver.",
        show_default=False,
    ),
]  # fmt: skip
AffectedSide = Annotated[
    str | None,
    typer.Option("--side", help="With --expression: affected side of the subject: left, right, bilateral or none."),
]
Severity = Annotated[
    str | None,
    typer.Option(
        "--severity", metavar="GRADE", help="House-Brackmann grade, 1 to 6. Several (1..6 or 1,3,6) give a row."
    ),
]


@dataclass(frozen=True)
class ByName:
    """An expression requested by name. ``grades`` is empty if no severity was requested."""

    expression: str
    side: str | None
    grades: tuple[float, ...]

    @property
    def slug(self) -> str:
        """The request as part of a file name."""
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
        float, typer.Option("--strength", help="With --expression: strength of the movement on a healthy side, 0 to 1.")
    ] = 1.0,
    poser: Annotated[
        str | None, typer.Option("--poser", metavar="NAME", help="Poser that makes the driver; default: the recipe's.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise; the same seed gives the same picture.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PNG", help="Output file; default: IDENTITY-DRIVER-SEED.png.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option("--guidance", help="Classifier-free guidance, 1 for none; default: the recipe's.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing output file.")] = False,
) -> None:
    """Synthesise one picture of a person. A driver's photograph, or a name, gives the expression."""
    # Check all arguments before torch is imported.
    existing_run(run)
    existing_picture("--identity", identity)
    named = by_name(driver, expression, side, severity)
    _check_rest(rest, named)
    how = named.slug if named is not None else existing_picture("--driver", driver or Path()).stem
    target = writable(output or Path(f"{identity.stem}-{how}-{seed}.png"), force)

    # Synthesise: from a driver, for several grades, or for one grade.
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
        raise PalsykitError(f"--rest {rest}: only for --driver, not for --expression; leave --rest out")


def by_name(driver: Path | None, expression: str | None, side: str | None, severity: str | None) -> ByName | None:
    """The expression requested by name; None if a driver's photograph is given.

    Raises:
        PalsykitError: both are given or neither, or the labels contradict each other.
    """
    from palsykit.faces.asking import asked, grades_of

    if expression is None:
        labels = [name for name, value in (("--side", side), ("--severity", severity)) if value is not None]
        if driver is None:
            raise PalsykitError("generate: neither --driver IMAGE nor --expression NAME; give one of them")
        if labels:
            raise PalsykitError(
                f"{' and '.join(labels)} with --driver: the driver's photograph shows them already; leave them out, or "
                "replace --driver by --expression NAME --side SIDE --severity GRADE"
            )
        return None
    if driver is not None:
        raise PalsykitError(
            f"--driver {driver} and --expression {expression}: both give the expression; leave one of them out"
        )
    grades = tuple(grades_of(severity)) if severity is not None else ()
    for grade in grades or (None,):
        asked(expression, side, grade)
    return ByName(expression, side, grades)


def writable(target: Path, force: bool) -> Path:
    """Return ``target`` if a PNG may be written there.

    Raises:
        PalsykitError: it is not a .png, its folder does not exist, or it exists and ``force`` is not set.
    """
    if target.suffix.lower() != ".png":
        raise PalsykitError(f"--output {target}: suffix {target.suffix or 'missing'}, expected .png")
    if not target.parent.is_dir():
        raise PalsykitError(f"--output {target}: there is no folder {target.parent}; create it first")
    if target.is_dir() or (target.exists() and not force):
        step = "choose another name" if target.is_dir() else "choose another --output, or overwrite it with --force"
        raise PalsykitError(f"--output {target}: already exists; {step}")
    return target
