"""The movement of a healthy half face in each of the eight expressions.

Lengths are fractions of the distance between the pupils, chosen to be visible in small pictures, not measured.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Movement:
    """A full-strength movement of one half of the face; up, out (away from the midline) and open are positive."""

    brow_up: float = 0.0
    brow_in: float = 0.0
    close: float = 0.0  # share of the palpebral fissure
    lower_lid_up: float = 0.0
    cheek_up: float = 0.0
    corner_up: float = 0.0
    corner_out: float = 0.0
    upper_lip_up: float = 0.0
    lower_lip_down: float = 0.0
    purse: float = 0.0  # share of the half mouth's width
    protrude: float = 0.0
    fold: float = 0.0
    wrinkle: float = 0.0
    pull: float = 0.0  # of the whole mouth to this side, unless the other side resists


MOVEMENTS: dict[str, Movement] = {
    "rest": Movement(),
    "brow_raise": Movement(brow_up=0.21, lower_lid_up=-0.01, wrinkle=1.0),
    "eye_closure_gentle": Movement(close=1.0, lower_lid_up=0.015, brow_up=-0.02),
    "eye_closure_tight": Movement(
        close=1.0, lower_lid_up=0.05, brow_up=-0.12, brow_in=0.05, cheek_up=0.09, corner_up=0.05, corner_out=0.03,
        fold=0.6,
    ),
    "smile_gentle": Movement(
        corner_up=0.13, corner_out=0.14, cheek_up=0.07, lower_lid_up=0.025, close=0.08, fold=0.7, pull=0.05
    ),
    "smile_full": Movement(
        corner_up=0.19, corner_out=0.20, cheek_up=0.11, lower_lid_up=0.045, close=0.15, upper_lip_up=0.07,
        lower_lip_down=0.15, fold=1.0, pull=0.07,
    ),
    "lip_pucker": Movement(purse=0.38, protrude=0.06, fold=-0.3, pull=0.04),
    "lower_lip_depression": Movement(
        corner_out=0.10, corner_up=-0.07, lower_lip_down=0.24, upper_lip_up=0.03, fold=0.2, pull=0.05
    ),
}  # fmt: skip
"""Expression -> the movement of a healthy half face."""
