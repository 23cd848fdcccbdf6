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
from palsykit_measure.readings import Kept

By = Literal["iris", "pupils"]
SAYS_NOT = (
    "Lengths between points that a network found in photographs, for research. They are no grade of a patient and no "
    "diagnosis."
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
class Measured:
    """One photograph with its lengths.

    Attributes:
        kept: its reading.
        scale: px per mm.
        face: what was measured.
        rest: the name of the photograph at rest, None if there is none or it is this one.
        notes: what a user should know, one sentence each.
    """

    kept: Kept
    scale: Scale
    face: Face
    rest: str | None
    notes: tuple[str, ...]


def measured(photographs: Sequence[Kept], by: By | None = None, rest: Kept | None = None) -> list[Measured]:
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
    still: dict[str, Kept] = {}
    for kept in photographs:
        if kept.said.expression == "rest":
            still.setdefault(kept.said.subject, kept)
    results = []
    for kept in photographs:
        at_rest = rest or still.get(kept.said.subject)
        own = at_rest is None or at_rest.sha256 == kept.sha256
        scale = _scale(kept if at_rest is None else at_rest, by)
        notes = list(kept.notes)
        if own or at_rest is None:
            face = Face(kept.landmarks, scale.px_per_mm, kept.said.expression)
        else:
            before = Face(at_rest.landmarks, scale.px_per_mm, "rest")
            carried = scale.px_per_mm * float(eye_line(kept.landmarks) / eye_line(at_rest.landmarks))
            scale = Scale(scale.by, carried, scale.of)
            face = Face(kept.landmarks, carried, kept.said.expression, before)
        results.append(Measured(kept, scale, face, None if own or at_rest is None else at_rest.name, tuple(notes)))
    return [_with_doubts(result) for result in results]


def _scale(kept: Kept, by: By | None) -> Scale:
    chosen: By = by or ("iris" if "iris" in kept.px_per_mm else "pupils")
    if chosen not in kept.px_per_mm:
        raise PalsykitError(f"{kept.said.path}: --scale iris: the finder gives no iris here; use --scale pupils")
    return Scale(chosen, kept.px_per_mm[chosen], kept.name)


def _with_doubts(result: Measured) -> Measured:
    """The result with notes on a scale that is doubtful."""
    notes, apart = list(result.notes), pupils_mm(result)
    if result.scale.by == "iris" and not PLAUSIBLE[0] <= apart <= PLAUSIBLE[1]:
        notes.append(
            f"the pupils would be {apart:.0f} mm apart by the iris, expected {PLAUSIBLE[0]:g} to {PLAUSIBLE[1]:g} in "
            "adults; compare --scale pupils"
        )
    if result.scale.by == "iris" and result.scale.of == result.kept.name and result.face.expression in CLOSURE:
        notes.append("the eyes are to be shut, and the scale is by their irises; give the photograph at rest")
    return Measured(result.kept, result.scale, result.face, result.rest, tuple(notes))


def pupils_mm(result: Measured) -> float:
    """mm between the pupils by the photograph's scale, from the corners of the eyes."""
    return float(eye_line(result.face.landmarks) / result.face.px_per_mm) * PUPILS_MM / EYE_LINE_MM


def with_intervals(result: Measured, errors: ErrorTable) -> dict[str, dict[str, dict[str, float]]]:
    """{measure: {part: {"value": mm, "low": mm, "high": mm}}}; without bounds if none are known."""
    lengths: dict[str, dict[str, dict[str, float]]] = {}
    for name, parts in measure_face(result.face).items():
        lengths[name] = {}
        for part, value in parts.items():
            bounds = errors.interval(name, part, value)
            between = {} if bounds is None else {"low": round(bounds[0], 3), "high": round(bounds[1], 3)}
            lengths[name][part] = {"value": round(value, 3), **between}
    return lengths


def entry(result: Measured, errors: ErrorTable) -> dict[str, Any]:
    """One photograph of the document."""
    kept, scale = result.kept, result.scale
    return {
        "file": kept.said.path.name,
        "name": kept.name,
        "sha256": kept.sha256,
        "synthetic": kept.mark is not None,
        "subject": kept.said.subject or None,
        "expression": kept.said.expression or "unknown",
        "expression_from": kept.said.source,
        "rest": result.rest,
        "scale": {
            "by": scale.by,
            "px_per_mm": scale.px_per_mm,
            "photograph": scale.of,
            "pupils_mm": round(pupils_mm(result), 2),
        },
        "head": kept.pose,
        "notes": list(result.notes),
        "measures": with_intervals(result, errors),
        "landmarks": kept.landmarks.round(3).tolist(),
    }


def document(
    results: Sequence[Measured], rejected: Sequence[Rejected], errors: ErrorTable, settings: dict[str, Any]
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
