"""From readings to results: the photograph at rest, the scale in px per mm, lengths with intervals, one document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.faces.measures import EYE_LINE_MM, IRIS_MM, PUPILS_MM, eye_line
from palsykit.faces.records import Rejected
from palsykit_measure.intervals import ErrorTable
from palsykit_measure.lengths import BY_NAME, CLOSURE, Face, measure_face
from palsykit_measure.readings import Entry

By = Literal["iris", "pupils"]
SAYS_NOT = (
    "Lengths between points that a network found in photographs, for research. They do not grade a patient and are not "
    "a diagnosis."
)
SCALES = {
    "iris": f"an iris is {IRIS_MM:g} mm wide (the mean of adults)",
    "pupils": f"the pupils are {PUPILS_MM:g} mm apart (the mean of adults)",
}
PLAUSIBLE = (54.0, 74.0)
"""mm between the pupils of adults; another distance says that the scale by the iris is wrong."""


@dataclass(frozen=True)
class Scale:
    """px of a photograph per mm.

    Attributes:
        by: what is known in mm.
        px_per_mm: the scale.
        of: the photograph in which the scale was found; another one's is carried over by the line of the eyes.
    """

    by: By
    px_per_mm: float
    of: str


@dataclass(frozen=True, eq=False)
class Result:
    """One photograph with its lengths.

    Attributes:
        entry: its reading.
        scale: px per mm.
        face: what was measured.
        rest: the name of the photograph at rest, None if there is none or it is this one.
        notes: what a user should know, one sentence each.
    """

    entry: Entry
    scale: Scale
    face: Face
    rest: str | None
    notes: tuple[str, ...]


def measure(photographs: Sequence[Entry], by: By | None = None, rest: Entry | None = None) -> list[Result]:
    """Each photograph with its scale, against its person's photograph at rest.

    If there is a photograph at rest, its scale holds for all of the person: in each photograph the line of the eyes is
    as many mm long as there. So shut eyes do not spoil the scale, and excursions are in one unit.

    Args:
        photographs: of one or several people.
        by: what the scale is by; None: the iris, where the finder gives it, else the pupils.
        rest: everyone's photograph at rest; None: each person's first one whose expression is rest.

    Raises:
        PalsykitError: a scale by the iris is wanted, and the finder gives none.
    """
    still: dict[str, Entry] = {}
    for entry in photographs:
        if entry.shot.expression == "rest":
            still.setdefault(entry.shot.subject, entry)
    results = []
    for entry in photographs:
        at_rest = rest or still.get(entry.shot.subject)
        own = at_rest is None or at_rest.sha256 == entry.sha256
        scale = _scale(entry if at_rest is None else at_rest, by)
        notes = list(entry.notes)
        if own or at_rest is None:
            face = Face(entry.landmarks, scale.px_per_mm, entry.shot.expression)
        else:
            before = Face(at_rest.landmarks, scale.px_per_mm, "rest")
            carried = scale.px_per_mm * float(eye_line(entry.landmarks) / eye_line(at_rest.landmarks))
            scale = Scale(scale.by, carried, scale.of)
            face = Face(entry.landmarks, carried, entry.shot.expression, before)
        results.append(Result(entry, scale, face, None if own or at_rest is None else at_rest.name, tuple(notes)))
    return [_with_doubts(result) for result in results]


def _scale(entry: Entry, by: By | None) -> Scale:
    chosen: By = by or ("iris" if "iris" in entry.px_per_mm else "pupils")
    if chosen not in entry.px_per_mm:
        raise PalsykitError(f"{entry.shot.path}: --scale iris: the finder gives no iris here; use --scale pupils")
    return Scale(chosen, entry.px_per_mm[chosen], entry.name)


def _with_doubts(result: Result) -> Result:
    """The result with notes on a scale that is doubtful."""
    notes, apart = list(result.notes), pupils_mm(result)
    if result.scale.by == "iris" and not PLAUSIBLE[0] <= apart <= PLAUSIBLE[1]:
        notes.append(
            f"the pupils would be {apart:.0f} mm apart by the iris, expected {PLAUSIBLE[0]:g} to {PLAUSIBLE[1]:g} in "
            "adults; compare --scale pupils"
        )
    if result.scale.by == "iris" and result.scale.of == result.entry.name and result.face.expression in CLOSURE:
        notes.append("the eyes are to be shut, and the scale is by their irises; give the photograph at rest")
    return Result(result.entry, result.scale, result.face, result.rest, tuple(notes))


def pupils_mm(result: Result) -> float:
    """mm between the pupils by the photograph's scale, from the corners of the eyes."""
    return float(eye_line(result.face.landmarks) / result.face.px_per_mm) * PUPILS_MM / EYE_LINE_MM


def with_intervals(result: Result, errors: ErrorTable) -> dict[str, dict[str, dict[str, float]]]:
    """{measure: {part: {"value": mm, "low": mm, "high": mm}}}; without bounds if none are known."""
    lengths: dict[str, dict[str, dict[str, float]]] = {}
    for name, parts in measure_face(result.face).items():
        lengths[name] = {}
        for part, value in parts.items():
            bounds = errors.interval(name, part, value)
            between = {} if bounds is None else {"low": round(bounds[0], 3), "high": round(bounds[1], 3)}
            lengths[name][part] = {"value": round(value, 3), **between}
    return lengths


def entry(result: Result, errors: ErrorTable) -> dict[str, Any]:
    """One photograph of the document."""
    entry, scale = result.entry, result.scale
    return {
        "file": entry.shot.path.name,
        "name": entry.name,
        "sha256": entry.sha256,
        "synthetic": entry.mark is not None,
        "subject": entry.shot.subject or None,
        "expression": entry.shot.expression or "unknown",
        "expression_from": entry.shot.source,
        "rest": result.rest,
        "scale": {
            "by": scale.by,
            "px_per_mm": scale.px_per_mm,
            "photograph": scale.of,
            "pupils_mm": round(pupils_mm(result), 2),
        },
        "head": entry.pose,
        "notes": list(result.notes),
        "measures": with_intervals(result, errors),
        "landmarks": entry.landmarks.round(3).tolist(),
    }


def document(
    results: Sequence[Result], rejected: Sequence[Rejected], errors: ErrorTable, settings: dict[str, Any]
) -> dict[str, Any]:
    """All results as one JSON object; lengths are in mm, sides are the subject's, difference is left less right."""
    entries = [entry(result, errors) for result in results]
    used = {name for one in entries for name in one["measures"]}
    return {
        "palsykit": __version__,
        "says_not": SAYS_NOT,
        **settings,
        "unit": "mm",
        "scales": {by: SCALES[by] for by in sorted({result.scale.by for result in results})},
        "intervals": errors.sentence,
        "meanings": {name: length.meaning for name, length in BY_NAME.items() if name in used},
        "photographs": entries,
        "rejected": [{"path": one.path, "reason": one.reason} for one in rejected],
    }
