"""The movement of a healthy half face in each of the eight expressions, in mm, and how it differs between people.

Millimetres are at 63 mm between the pupils. Sources, and the pairs' figures, are in docs/lab-notes.md:

- The corner of a full smile moves by 10 mm, up and out at 40 degrees: full function of House and Brackmann's measure
  (1985). Smiles that people of the London set show when asked, with open mouths: 8.1 mm, standard deviation 2.8, lips
  8.7 mm apart, the upper lip 4.1 mm up, the lower lip 4.6 mm down, the eye 0.9 mm narrower. They are this table's at
  strength 0.85, the middle of what the data sets draw. With lips closed: 4.2 mm (2.3), the gentle smile.
- Spontaneous smiles go up at 47 degrees and widen the mouth by 27 % (Tarantili et al. 2005); the pairs go up at 38.
- A raised brow: 10 mm, full function of the same measure.
- Pucker, lower lip and tightly shut eyes were not measured; they are our judgement.
- The two sides of a healthy face differ by 7 to 9 % of the movement.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

LARGEST_DIFFERENCE = 0.12
"""Largest difference between the movements of two healthy sides, as a share of the movement; the mean is 7 %."""


@dataclass(frozen=True)
class Movement:
    """A full-strength movement of one half of the face; up, out (away from the midline) and open are positive, in mm.

    Attributes:
        close: share of the palpebral fissure.
        nose: of the wing of the nose, out and up alike.
        purse: of the corner towards the midline; other points of the mouth move in proportion.
        protrude: by which the red of each lip becomes higher.
        fold: depth that the nasolabial fold gains, 0 to 1.
        wrinkle: of the forehead, 0 to 1.
        pull: of the midline to this side, if the other side moves less; the corners stay.
        drag: likewise, of the whole mouth.
    """

    brow_up: float = 0.0
    brow_in: float = 0.0
    close: float = 0.0
    lower_lid_up: float = 0.0
    cheek_up: float = 0.0
    corner_up: float = 0.0
    corner_out: float = 0.0
    nose: float = 0.0
    upper_lip_up: float = 0.0
    lower_lip_down: float = 0.0
    purse: float = 0.0
    protrude: float = 0.0
    fold: float = 0.0
    wrinkle: float = 0.0
    pull: float = 0.0
    drag: float = 0.0


MOVEMENTS: dict[str, Movement] = {
    "rest": Movement(),
    "brow_raise": Movement(brow_up=10.0, lower_lid_up=-0.3, wrinkle=1.0),
    "eye_closure_gentle": Movement(close=1.0, lower_lid_up=0.8, brow_up=-0.7),
    "eye_closure_tight": Movement(
        close=1.0, lower_lid_up=2.0, brow_up=-5.0, brow_in=2.0, cheek_up=3.5, corner_up=2.0, corner_out=1.2, fold=0.5
    ),
    "smile_gentle": Movement(
        corner_up=3.2, corner_out=3.1, nose=0.4, cheek_up=1.6, lower_lid_up=0.3, close=0.02, upper_lip_up=0.2,
        fold=0.55, pull=1.2,
    ),
    "smile_full": Movement(
        corner_up=6.5, corner_out=7.6, nose=1.7, cheek_up=3.8, lower_lid_up=0.6, close=0.05, upper_lip_up=4.7,
        lower_lip_down=5.4, fold=1.0, pull=2.5,
    ),
    "lip_pucker": Movement(purse=7.0, protrude=2.2, fold=-0.25, drag=4.0),
    "lower_lip_depression": Movement(
        corner_out=4.0, corner_up=-2.5, lower_lip_down=6.5, upper_lip_up=0.8, fold=0.2, pull=1.5
    ),
}  # fmt: skip
"""Expression -> the movement of a healthy half face of the mean person."""


@dataclass(frozen=True)
class Manner:
    """How one healthy person's movements differ from the mean person's.

    Attributes:
        brow: factor of the movements of the brow.
        smile: factor of the corners' movement in smiles.
        lips: factor of how far smiling lips open.
        angle: degrees by which the corners go up more steeply.
        brow_difference: the right side's movement less the left side's, as a share of it.
        mouth_difference: likewise.
    """

    brow: float = 1.0
    smile: float = 1.0
    lips: float = 1.0
    angle: float = 0.0
    brow_difference: float = 0.0
    mouth_difference: float = 0.0


MEAN = Manner()


def draw_manner(rng: np.random.Generator) -> Manner:
    """A healthy person at random; spreads are those of the London pairs and of healthy people's asymmetry."""
    near = np.clip(rng.normal(size=6), -2, 2)
    return Manner(
        brow=1 + 0.2 * float(near[0]),
        smile=1 + 0.25 * float(near[1]),
        lips=1 + 0.25 * float(0.6 * near[1] + 0.8 * near[2]),
        angle=6 * float(near[3]),
        brow_difference=float(np.clip(0.1 * near[4], -LARGEST_DIFFERENCE, LARGEST_DIFFERENCE)),
        mouth_difference=float(np.clip(0.1 * near[5], -LARGEST_DIFFERENCE, LARGEST_DIFFERENCE)),
    )


def healthy(expression: str, manner: Manner, side: int) -> Movement:
    """A person's full-strength movement of one half; ``side`` 0 is the subject's right, 1 the left.

    Raises:
        KeyError: the expression is unknown.
    """
    m, sign = MOVEMENTS[expression], 1 - 2 * side
    brow, mouth = (1 + sign * d / 2 for d in (manner.brow_difference, manner.mouth_difference))
    brow *= manner.brow
    smiles = expression.startswith("smile")
    smile, lips = (mouth * manner.smile, mouth * manner.lips) if smiles else (mouth, mouth)
    turn = math.radians(manner.angle) if smiles else 0.0
    return replace(
        m,
        brow_up=brow * m.brow_up,
        brow_in=brow * m.brow_in,
        wrinkle=min(1.0, brow * m.wrinkle),
        cheek_up=smile * m.cheek_up,
        nose=smile * m.nose,
        corner_up=smile * (m.corner_up * math.cos(turn) + m.corner_out * math.sin(turn)),
        corner_out=smile * (m.corner_out * math.cos(turn) - m.corner_up * math.sin(turn)),
        upper_lip_up=lips * m.upper_lip_up,
        lower_lip_down=lips * m.lower_lip_down,
        purse=mouth * m.purse,
        fold=smile * m.fold,
    )
