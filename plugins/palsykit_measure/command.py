"""``palsykit measure``: lengths of faces in mm, side by side.

palsykit measure smile_full.jpg --rest rest.jpg
palsykit measure photographs         # of one person, named rest.jpg, smile_full.jpg, ...; or with metadata.csv
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palsykit.cli.arguments import existing_picture
from palsykit.errors import PalsykitError
from palsykit.progress import say

if TYPE_CHECKING:
    from palsykit.faces.records import Rejected
    from palsykit_measure.people import Shot
    from palsykit_measure.results import Result

MARKER = "measure.json"
"""Says what a folder of results was made with."""
SCALES = ("iris", "pupils")
MOST_PEOPLE = 4
"""Of more people, means are printed in place of tables of the eight."""


Photographs = Annotated[
    Path,
    typer.Argument(
        metavar="PHOTO|DIR",
        help="A photograph with a face, or a folder of them: one person's, or with metadata.csv several people's.",
        show_default=False,
    ),
]
Rest = Annotated[
    Path | None,
    typer.Option(
        "--rest",
        metavar="PHOTO",
        help="The same person at rest; excursions are measured against it.",
        show_default=False,
    ),
]
Expression = Annotated[
    str | None,
    typer.Option("--expression", metavar="NAME", help="What PHOTO shows; default: what its name says."),
]
ScaleBy = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="iris|pupils",
        help="mm by the iris (11.77 mm) or by the pupils (63 mm apart); default: the iris, if it is found.",
    ),
]


def command(
    photographs: Photographs,
    rest: Rest = None,
    expression: Expression = None,
    scale: ScaleBy = None,
    network: Annotated[
        str | None,
        typer.Option("--network", metavar="RECIPE:NAME", help="The landmark network; default: the one that ships."),
    ] = None,
    detector: Annotated[
        str | None, typer.Option("--detector", metavar="NAME", help="Detector that finds the face; default: built in.")
    ] = None,
    face: Annotated[
        int | None, typer.Option("--face", metavar="N", help="Which of several faces, 1 for the largest; default: 1.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Folder for results; default: NAME-measures.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Accept a face that is small, turned, cut off or covered.")
    ] = False,
) -> None:
    """Measure brows, lids, mouth and their asymmetry in mm, on each of the subject's sides. No grade, no diagnosis.

    A landmark network finds 68 points in the framed face. Writes overlays, measures.csv, measures.json and, for several
    expressions, eight.csv and a sheet. Which expression a photograph shows is taken from metadata.csv or from the
    file's name if that says it, else it is unknown. The same command resumes; photographs that cannot be used are in
    rejected.csv. Exit code 2 if none can be used.
    """
    if scale is not None and scale not in SCALES:
        raise PalsykitError(f"--scale {scale}: expected {' or '.join(SCALES)}")
    shots, at_rest, refused = _photographs(photographs, rest, expression, output)
    folder = output or Path(f"{photographs.absolute().name if photographs.is_dir() else photographs.stem}-measures")

    found, results, rejected = _measure(shots, at_rest, refused, folder, scale, network, detector, face, force)

    from palsykit_measure.writing import write

    write(folder, found, results, rejected)
    _print(found, rejected, folder, as_json)


def _photographs(
    given: Path, rest: Path | None, expression: str | None, output: Path | None
) -> "tuple[list[Shot], Shot | None, list[Rejected]]":
    """The photographs with what they show, the one at rest, and the files that are none."""
    from palsykit.faces.parsing import expressions_of
    from palsykit_measure.people import Shot, shots_of

    words = expressions_of(expression) if expression is not None else []
    if len(words) > 1 or (words and given.is_dir()):
        raise PalsykitError(
            f"--expression {expression}: expected one, for one PHOTO; in a folder, names or a table say it"
        )
    at_rest = None if rest is None else Shot(existing_picture("--rest", rest), "", "rest", "option")
    if not given.is_dir():
        shots = shots_of([existing_picture("measure", given)], None)
        if words:
            shots = [Shot(given, "", words[0], "option")]
        return shots, at_rest, []
    from palsykit.data.imagefolder import TABLES
    from palsykit.synthesis.portraits import portraits_in

    pictures, refused = portraits_in(given)
    own = {*TABLES, *([output.name] if output is not None and output.absolute().parent == given.absolute() else [])}
    return shots_of(pictures, given), at_rest, [one for one in refused if one.path not in own]


def _measure(
    shots: "list[Shot]",
    at_rest: "Shot | None",
    rejected: "list[Rejected]",
    folder: Path,
    scale: str | None,
    network: str | None,
    detector: str | None,
    face: int | None,
    force: bool,
) -> "tuple[dict[str, Any], list[Result], list[Rejected]]":
    """Read what is not read yet, and measure all."""
    from palsykit.photographs.find import detector_of
    from palsykit_measure import results
    from palsykit_measure.intervals import load_errors
    from palsykit_measure.network import DEFAULT, load_network
    from palsykit_measure.reading import Reader
    from palsykit_measure.readings import read_all

    reader = Reader(load_network(network or DEFAULT), detector_of(detector))
    settings = {"landmarks": reader.network.facts, "detector": reader.detector.version}
    _claim(folder, {**settings, "face": face, "force": force})
    everyone = shots if at_rest is None or any(_same(one.path, at_rest.path) for one in shots) else [at_rest, *shots]
    entries, unusable = read_all(everyone, folder, lambda: reader, face, force)
    rejected = [*rejected, *unusable]
    if not entries:
        from palsykit.data.rejections import write_rejected

        write_rejected(folder, rejected)
        reasons = "; ".join(f"{one.path}: {one.reason}" for one in unusable[:3])
        raise PalsykitError(f"no photograph can be measured ({reasons}); {folder / 'rejected.csv'} lists all")
    still = None
    if at_rest is not None:
        still = next((one for one in entries if _same(one.shot.path, at_rest.path)), None)
        if still is None:
            reason = next(one.reason for one in unusable if one.path == at_rest.path.name)
            raise PalsykitError(f"--rest {at_rest.path}: {reason}")
    found = results.measure(entries, scale, still)  # type: ignore[arg-type]  # checked in command
    errors = load_errors(reader.network.facts["weights"])
    return results.document(found, rejected, errors, settings), found, rejected


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()


def _claim(folder: Path, settings: dict[str, Any]) -> None:
    from palsykit.files.claims import Claim

    Claim(folder, MARKER, "folder of measures", "name another: --output DIR", key="landmarks").take(settings)


def _print(found: dict[str, Any], rejected: "list[Rejected]", folder: Path, as_json: bool) -> None:
    from palsykit_measure.tables import by_person, of_eight, of_people, of_photograph

    if as_json:
        print(json.dumps(found, ensure_ascii=False, allow_nan=False))
    elif len(found["photographs"]) <= 2:
        print("\n\n".join(of_photograph(one) for one in found["photographs"]))
    elif len(people := by_person(found["photographs"])) > MOST_PEOPLE:
        print(of_people(found["photographs"]))
    else:
        print("\n\n".join(of_eight(subject, shown) for subject, shown in people.items()))
    for one in found["photographs"]:
        for note in one["notes"]:
            say(f"{one['file']}: {note}")
    unknown = sum(one["expression"] == "unknown" for one in found["photographs"])
    if unknown:
        say(f"the expression of {unknown} photographs is unknown; name files by it, or write metadata.csv")
    if rejected:
        say(f"{len(rejected)} files were not used; {folder / 'rejected.csv'} says why")
    if not as_json:
        print(f"\n{found['intervals']}\n{found['says_not']}\n{folder}")
