"""``palsykit generate``: synthesise one picture, or one row of severities, with a trained run."""

from pathlib import Path
from typing import Annotated, Any

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
    grades = _grades(driver, rest, expression, side, severity, strength)
    how = _slug(expression, side, grades) if driver is None else driver.stem
    target = writable(output or Path(f"{identity.stem}-{how}-{seed}.png"), force)

    # Synthesise: from a driver, for several grades, or for one grade.
    from palsykit.synthesis.front import load

    model = load(run, poser=poser)
    asked: dict[str, Any] = {"expression": expression, "side": side, "strength": strength}
    asked |= {"seed": seed, "guidance": guidance}
    if len(grades) > 1:
        picture, _ = model.dial(identity=identity, severities=grades, **asked)
    else:
        grade = grades[0] if grades else None
        picture = model.generate(identity=identity, driver=driver, rest=rest, severity=grade, **asked)
    picture.save(target, format="PNG")
    print(target)


def _grades(
    driver: Path | None,
    rest: Path | None,
    expression: str | None,
    side: str | None,
    severity: str | None,
    strength: float,
) -> tuple[float, ...]:
    """Checks what face was asked for, before torch's own seconds, and gives the grades of an expression by name."""
    from palsykit.faces.parsing import grades_of
    from palsykit.synthesis.request import Request

    grades = tuple(grades_of(severity)) if severity is not None else ()
    Request.of(driver, rest, expression, side, grades, strength)
    for name, picture in (("--driver", driver), ("--rest", rest)):
        if picture is not None:
            existing_picture(name, picture)
    return grades


def _slug(expression: str | None, side: str | None, grades: tuple[float, ...]) -> str:
    shown = "-".join(f"{grade:g}" for grade in grades)
    return "-".join(word for word in (expression, side, shown) if word)


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
