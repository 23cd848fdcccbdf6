"""Pictures side by side: one panel per person, one row per system, one column per expression."""

from collections.abc import Sequence

from palsykit.faces.pairing import Pair
from palsykit.faces.views import to_pictures
from palsykit.faces.vocabulary import FaceLabels
from palsykit.report import words
from palsykit.report.contents import Picture
from palsykit.report.faces import Panel, draw_sheet, png
from palsykit_benchmark.figures import Table
from palsykit_benchmark.jobs import Results
from palsykit_benchmark.plan import TRUTH
from palsykit_benchmark.protocols import SELF

FACE_PX = 96
FOOTER = "All rows but driver and truth are computer-made. Sides are the subject's own; HB: House-Brackmann grade."


def side_by_side(table: Table, results: Results) -> bytes | None:
    """The sheet as a PNG file; None if no pictures are shown."""
    place = (table.data, table.protocol.name)
    exam, shown = results.exams[place], results.shown.get(place, {})
    count = max((len(pictures) for pictures in shown.values()), default=0)
    if not count:
        return None
    faces = exam.faces.rows(0, count)
    above: dict[str, list[Picture]] = {}
    if table.protocol is not SELF:
        above["driver"] = list(to_pictures(faces.driver.image))
    if faces.target is not None:
        above[TRUTH] = list(to_pictures(faces.target.image))
    rows = {**above, **{name: shown[name] for name in table.systems if name in shown}}
    identities = list(to_pictures(faces.identity.image))
    pairs = exam.pairs[:count]
    panels = [_panel(pairs, chosen, identities, rows) for chosen in _by_person(pairs)]
    return png(draw_sheet(panels, FACE_PX, FOOTER))


def _by_person(pairs: Sequence[Pair]) -> list[list[int]]:
    people: dict[str, list[int]] = {}
    for number, pair in enumerate(pairs):
        people.setdefault(str(pair.identity.labels.subject), []).append(number)
    return list(people.values())


def _panel(
    pairs: Sequence[Pair], chosen: Sequence[int], identities: Sequence[Picture], rows: dict[str, list[Picture]]
) -> Panel:
    labels = [pairs[number].record.labels for number in chosen]
    return Panel(
        str(pairs[chosen[0]].identity.labels.subject),
        identities[chosen[0]],
        tuple(_palsy(label) for label in labels),
        tuple((name, tuple(pictures[number] for number in chosen)) for name, pictures in rows.items()),
        tuple(words.expression(label.expression or "unknown") for label in labels),
    )


def _palsy(labels: FaceLabels) -> str:
    return words.palsy(labels.side, labels.severity)
