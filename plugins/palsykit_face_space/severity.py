"""What a House-Brackmann grade leaves of each region, and the finer dials that override it.

The scale (House and Brackmann, Otolaryngol Head Neck Surg 1985) describes regions:

| grade | rest | forehead | eye | mouth | points |
|---|---|---|---|---|---|
| I | normal | normal | normal | normal | 8 |
| II | normal symmetry and tone | moderate to good | shuts with minimal effort | slight asymmetry | 7 |
| III | normal symmetry and tone | slight to moderate | shuts with effort | slightly weak with most effort | 5-6 |
| IV | normal symmetry and tone | none | does not shut | asymmetric with most effort | 3-4 |
| V | asymmetric | none | does not shut | slight movement | 1-2 |
| VI | no tone | none | none | none | 0 |

Its own measure gives one point for each 2.5 mm that the middle of the brow rises and the corner of the mouth moves,
four at most each. Full function is thus 10 mm, which is also what the mean person moves here. People with smaller
smiles have full function too: points are those of the affected side's share of the healthy side's movement, times
10 mm.
At IV all three or four points are the mouth's, because the forehead does not move: so it still makes 0.66 of the
movement. Between whole grades everything is interpolated linearly, and nothing recovers as the grade grows.

Synkinesis belongs to II (slight) to IV (it may be severe); to V and VI it does not. At III it is noticeable at rest.
"""

from dataclasses import dataclass

import numpy as np

from palsykit.faces.dials import Dial, Dials, Length
from palsykit.faces.vocabulary import Group, Side

GRADES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
SYNKINETIC_BELOW = 5.0

_BROW = (1.0, 0.70, 0.40, 0.0, 0.0, 0.0)
_MOUTH = (1.0, 0.90, 0.80, 0.66, 0.25, 0.0)
_EYE_GENTLE = (1.0, 1.0, 0.78, 0.55, 0.25, 0.0)
_EYE_TIGHT = (1.0, 1.0, 1.0, 0.78, 0.40, 0.0)
_TONE = (1.0, 1.0, 1.0, 1.0, 0.40, 0.0)
_SYNKINESIS = (0.0, 0.20, 0.60, 1.0, 0.0, 0.0)


@dataclass(frozen=True)
class Impairment:
    """One half of a face; without a palsy everything is as the defaults say.

    Attributes:
        brow: share of the healthy movement.
        mouth: likewise.
        eye_gentle: share of the fissure that the eye covers when it closes gently.
        eye_tight: when it closes with effort.
        tone_brow: tone at rest, 1 (normal) to 0 (none).
        tone_eye: likewise.
        tone_mouth: likewise.
        synkinesis_eye: 0 (none) to 1 (severe).
        synkinesis_mouth: likewise.
        as_other: how far this half's healthy movement is taken to be the other half's, 0 to 1: a palsy is measured
            against the healthy side.
    """

    brow: float = 1.0
    mouth: float = 1.0
    eye_gentle: float = 1.0
    eye_tight: float = 1.0
    tone_brow: float = 1.0
    tone_eye: float = 1.0
    tone_mouth: float = 1.0
    synkinesis_eye: float = 0.0
    synkinesis_mouth: float = 0.0
    as_other: float = 0.0


HEALTHY = Impairment()


def is_grade(severity: float) -> bool:
    """Whether a number is on the scale."""
    return bool(1 <= severity <= 6)


def impairments(side: Side, severity: float, group: Group | None, dials: Dials) -> tuple[Impairment, Impairment]:
    """The (right, left) half of a face; ``group`` None is flaccid.

    Raises:
        ValueError: severity, side, group and dials contradict each other, or the severity is not on the scale.
    """
    if not is_grade(severity):
        raise ValueError(f"severity {severity!r} is not a House-Brackmann grade; expected 1 (normal) to 6 (total)")
    if side is Side.NONE and severity > 1:
        raise ValueError(f"severity {severity!r} with side 'none'; expected 1.0, or a side")
    if severity > 1 and group is Group.NORMAL:
        raise ValueError(f"severity {severity!r} in group 'normal'; expected 1.0, or flaccid or synkinetic")
    if severity >= SYNKINETIC_BELOW and group is Group.SYNKINETIC:
        raise ValueError(f"severity {severity!r} in group 'synkinetic': synkinesis belongs to II to IV; say flaccid")
    if side is Side.NONE and dials:
        raise ValueError(f"dials ({', '.join(dials.given())}) with side 'none'; expected a side that they are of")
    lengths = [name for name, value in dials.given().items() if isinstance(value, Length)]
    if side is Side.BILATERAL and lengths:
        raise ValueError(f"{lengths[0]} {dials.given()[lengths[0]]}: a length is against the healthy side, and there "
                         "is none with side 'bilateral'; give a share")  # fmt: skip
    affected = _impaired(severity, group is Group.SYNKINETIC, dials, side is not Side.BILATERAL)
    return (
        affected if side in (Side.RIGHT, Side.BILATERAL) else HEALTHY,
        affected if side in (Side.LEFT, Side.BILATERAL) else HEALTHY,
    )


def _impaired(severity: float, synkinetic: bool, dials: Dials, unilateral: bool) -> Impairment:
    def at(table: tuple[float, ...]) -> float:
        return float(np.interp(severity, GRADES, table))

    def share(dial: Dial | None, table: tuple[float, ...]) -> float:
        return at(table) if dial is None or isinstance(dial, Length) else dial

    stray = at(_SYNKINESIS) if synkinetic else 0.0
    tone = at(_TONE)
    return Impairment(
        brow=share(dials.brow, _BROW),
        mouth=share(dials.mouth, _MOUTH),
        eye_gentle=share(dials.eye, _EYE_GENTLE),
        eye_tight=share(dials.eye, _EYE_TIGHT),
        tone_brow=tone if dials.tone_brow is None else dials.tone_brow,
        tone_eye=tone if dials.tone_eye is None else dials.tone_eye,
        tone_mouth=tone if dials.tone_mouth is None else dials.tone_mouth,
        synkinesis_eye=stray if dials.synkinesis_eye is None else dials.synkinesis_eye,
        synkinesis_mouth=stray if dials.synkinesis_mouth is None else dials.synkinesis_mouth,
        as_other=min(1.0, severity - 1 + bool(dials)) if unilateral else 0.0,
    )
