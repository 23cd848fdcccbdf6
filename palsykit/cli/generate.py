"""``palsykit generate``: give a person in a photograph an expression and a palsy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from palsykit.cli.arguments import existing_picture, existing_run
from palsykit.errors import PalsykitError
from palsykit.faces.dials import Dials
from palsykit.progress import say
from palsykit.synthesis.request import Request, read_dials
from palsykit.synthesis.shipped import DEFAULT, shipped_model, shipped_models

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")

Run = Annotated[
    str,
    typer.Argument(
        metavar="[RUN]",
        help="A run's folder, for example runs/cfcpalsy, or the name of a model that ships with palsykit.",
        show_default=True,
    ),
]
Identity = Annotated[
    Path,
    typer.Option(
        "--identity",
        metavar="IMAGE|DIR",
        help="The person: any photograph with a face, or a folder of them. With --expression: at rest, no palsy.",
        show_default=False,
    ),
]
Driver = Annotated[
    Path | None,
    typer.Option("--driver", metavar="IMAGE", help="A photograph that shows the expression.", show_default=False),
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
        "--expression", "--expressions", metavar="NAME",
        help="An expression by name, for example smile_full. Several (rest,smile_full or all) give a sheet.",
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
Strength = Annotated[
    float, typer.Option("--strength", help="With --expression: strength of the movement on a healthy side, 0 to 1.")
]
Brow = Annotated[
    str | None,
    typer.Option(
        "--brow", metavar="SHARE|MM",
        help="Finer than the grade: share of the healthy brow's movement (0.2), or how much higher the affected brow "
        "is (-3mm: lower).",
    ),
]  # fmt: skip
Eye = Annotated[
    str | None,
    typer.Option(
        "--eye", metavar="SHARE|MM",
        help="Share that the affected eye closes (0.0), or how much wider open it is than the healthy one (3mm).",
    ),
]  # fmt: skip
Mouth = Annotated[
    str | None,
    typer.Option(
        "--mouth", metavar="SHARE|MM",
        help="Share of the healthy mouth's movement, or how much higher the affected corner is (-4mm: lower).",
    ),
]  # fmt: skip
Tone = Annotated[
    str | None,
    typer.Option("--tone", metavar="SHARE", help="Tone at rest, 1 (normal) to 0; or brow=1,eye=0.5,mouth=0.2."),
]
Synkinesis = Annotated[
    str | None,
    typer.Option("--synkinesis", metavar="SHARE", help="Synkinesis, 0 to 1 (severe); or eye=0.8,mouth=0.2."),
]
FaceNumber = Annotated[
    int | None, typer.Option("--face", metavar="N", help="Which of several faces, 1 for the largest; default: 1.")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Overwrite an existing file; accept a face that is small, turned, cut off or covered."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", metavar="FILE|DIR",
        help="Output file (.png, .jpg, .webp or .tif); default: IDENTITY-FACE-SEED.png. A name without a suffix is a "
        "folder: every face as a file, metadata.jsonl, and a page with before and after.",
    ),
]  # fmt: skip


def command(
    identity: Identity,
    run: Run = DEFAULT,
    driver: Driver = None,
    rest: Rest = None,
    expression: Expression = None,
    side: AffectedSide = None,
    severity: Severity = None,
    strength: Strength = 1.0,
    brow: Brow = None,
    eye: Eye = None,
    mouth: Mouth = None,
    tone: Tone = None,
    synkinesis: Synkinesis = None,
    poser: Annotated[
        str | None, typer.Option("--poser", metavar="NAME", help="Poser that makes the driver; default: the recipe's.")
    ] = None,
    detector: Annotated[
        str | None, typer.Option("--detector", metavar="NAME", help="Detector that finds the face; default: built in.")
    ] = None,
    face: FaceNumber = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise; the same seed gives the same picture.")] = 0,
    output: Output = None,
    crop: Annotated[bool, typer.Option("--crop", help="Write the face frame, not the whole photograph.")] = False,
    size: Annotated[
        int | None, typer.Option("--size", metavar="PX", min=16, help="With --crop: side of the face frame in px.")
    ] = None,
    mark: Annotated[bool, typer.Option("--mark", help="Write the word 'synthetic' into a corner.")] = False,
    guidance: Annotated[
        float | None, typer.Option("--guidance", help="Classifier-free guidance, 1 for none; default: the recipe's.")
    ] = None,
    force: Force = False,
) -> None:
    """Synthesise a person's face: any photograph in, the same photograph with another expression or a palsy out.

    A driver's photograph, or a name, gives the expression. Nothing has to be trained first.
    """
    # Check all arguments before torch is imported.
    _check_model(run)
    people = identity if identity.is_dir() else existing_picture("--identity", identity)
    dials = read_dials(brow=brow, eye=eye, mouth=mouth, tone=tone, synkinesis=synkinesis)
    request = _request(driver, rest, expression, side, severity, strength, dials)
    options = Options(crop or size is not None, size, mark, seed, guidance, face, force)
    finer = (f"{name}{value}" for name, value in dials.facts().items())
    words = (expression, side, severity, *finer) if driver is None else (driver.stem,)
    target = output or _default_output(identity, words, seed)
    many = _check_output(people, output, target, driver, force)

    # Synthesise.
    from palsykit.synthesis.front import load

    model = load(run, poser=poser, detector=detector)
    if many:
        _write_folder(model, people, request, target, options)
    else:
        _write_one(model, people, request, target, options, driver, rest)


@dataclass(frozen=True)
class Options:
    """What holds for every picture of one call."""

    crop: bool
    size: int | None
    mark: bool
    seed: int
    guidance: float | None
    face: int | None
    force: bool


def _write_one(
    model: Any,
    identity: Path,
    request: Request,
    target: Path,
    options: Options,
    driver: Path | None = None,
    rest: Path | None = None,
) -> None:
    """One face as a file; several as a sheet."""
    from palsykit.photographs.mark import write_marked
    from palsykit.synthesis.front import draw_syntheses

    person = model.read("--identity", identity, options.face, options.force)
    views = [
        None if path is None else model.read(name, path, force=options.force)
        for name, path in (("--driver", driver), ("--rest", rest))
    ]
    made = model.synthesise_person(person, request, *views, options.seed, options.guidance)
    for note in made[0].notes:
        say(f"{identity}: {note}")
    if len(made) > 1:
        write_marked(draw_syntheses(made), target, made[0].shared_facts, visible=options.mark)
    else:
        made[0].save(target, crop=options.crop, size=options.size, visible=options.mark)
    print(target)


def _write_folder(model: Any, people: Path, request: Request, folder: Path, options: Options) -> None:
    """Every face of every portrait."""
    from palsykit.synthesis.portraits import PAGE, Output, portraits_in, synthesise_portraits

    portraits, rejected = portraits_in(people) if people.is_dir() else ([people], [])
    output = Output(options.crop, options.size, options.mark)
    not_used = synthesise_portraits(
        model, portraits, request, folder, output, rejected=rejected,
        seed=options.seed, guidance=options.guidance, face=options.face, force=options.force,
    )  # fmt: skip
    if not_used:
        say(f"{len(not_used)} files were not used; {folder / 'rejected.csv'} says why")
    print(folder / PAGE)


def _default_output(identity: Path, words: tuple[str | None, ...], seed: int) -> Path:
    name = "-".join(word for word in words if word).replace("..", "-").replace(",", "-")
    return Path(f"{identity.stem}-{name}-{seed}.png")


def _check_model(run: str) -> None:
    if shipped_model(run) is not None:
        return
    try:
        existing_run(Path(run))
    except PalsykitError as error:
        shipped = ", ".join(shipped_models())
        raise PalsykitError(f"{error.message}; models that ship with palsykit: {shipped}") from error


def _request(
    driver: Path | None,
    rest: Path | None,
    expression: str | None,
    side: str | None,
    severity: str | None,
    strength: float,
    dials: Dials,
) -> Request:
    """Check which faces were requested, before torch's own seconds."""
    from palsykit.faces.parsing import expressions_of, grades_of

    grades = tuple(grades_of(severity)) if severity is not None else ()
    several = expression is not None and (expression == "all" or "," in expression)
    if several and driver is None:
        labels = [
            label
            for name in expressions_of(str(expression))
            for label in Request.of(None, rest, name, side, grades, strength, dials).labels
        ]
        request = Request(tuple(labels), strength, dials)
    else:
        request = Request.of(driver, rest, expression, side, grades, strength, dials)
    for name, picture in (("--driver", driver), ("--rest", rest)):
        if picture is not None:
            existing_picture(name, picture)
    return request


def _check_output(people: Path, output: Path | None, target: Path, driver: Path | None, force: bool) -> bool:
    """Whether results go into a folder; refuses an output that cannot be written."""
    if not (people.is_dir() or target.is_dir() or not target.suffix):
        writable(target, force)
        return False
    if driver is not None:
        raise PalsykitError("generate: a folder of results needs --expression; give one photograph with --driver")
    if output is None:
        raise PalsykitError(f"--identity {people}: a folder of portraits; say where results go: --output DIR")
    if output.is_file() or output.suffix.lower() in SUFFIXES:
        raise PalsykitError(f"--output {output}: a file; expected a folder for the results of {people}")
    return True


def writable(target: Path, force: bool) -> Path:
    """Return ``target`` if a picture may be written there.

    Raises:
        PalsykitError: its format is not written, its folder does not exist, or it exists and ``force`` is not set.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise PalsykitError(f"--output {target}: suffix {target.suffix}, expected one of {', '.join(SUFFIXES)}")
    if not target.parent.is_dir():
        raise PalsykitError(f"--output {target}: there is no folder {target.parent}; create it first")
    if target.exists() and not force:
        raise PalsykitError(f"--output {target}: already exists; choose another --output, or overwrite it with --force")
    return target
