"""The clinical words: sides, expressions, severity. Unknown is None, and nothing is inferred.

Sides are the SUBJECT'S: the image's left half shows the subject's right side. Severity is the House-Brackmann grade
(House and Brackmann, Otolaryngol Head Neck Surg 1985), 1 (normal) to 6 (total paralysis). The expressions are the
eight of the MEEI standard set (Greene et al., Laryngoscope 2020, doi 10.1002/lary.27986).
"""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

SPLITS = ("train", "validation", "test")


class Side(StrEnum):
    """The affected side, named from the subject's point of view."""

    LEFT = "left"
    RIGHT = "right"
    BILATERAL = "bilateral"
    NONE = "none"

    @property
    def mirrored(self) -> "Side":
        """The side after a horizontal flip of the photograph."""
        return {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}.get(self, self)


class Group(StrEnum):
    """The kind of palsy, as MEEI's archives sort people; nonflaccid palsies are the synkinetic ones."""

    NORMAL = "normal"
    FLACCID = "flaccid"
    SYNKINETIC = "synkinetic"


EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "rest": ("neutral", "repose"),
    "brow_raise": ("brow elevation", "brow raise", "EyeBrow"),
    "eye_closure_gentle": ("light effort", "EyeClosureGently"),
    "eye_closure_tight": ("full effort", "EyeClosureTight"),
    "smile_gentle": ("small smile", "SmallSmile", "closed-mouth"),
    "smile_full": ("big smile", "LargeSmile", "showing teeth"),
    "lip_pucker": ("PuckeringLips", "ooooo"),
    "lower_lip_depression": ("DentalShow", "eeeek", "lower teeth"),
}
"""Canonical expression -> aliases in published data sets."""


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


_CANONICAL = {_plain(word): name for name, aliases in EXPRESSIONS.items() for word in (name, *aliases)}


def canonical_expression(name: str) -> str:
    """The canonical name of an expression or one of its aliases.

    Raises:
        ValueError: for a name that is neither; the message lists the vocabulary, and the name that is nearest.
    """
    try:
        return _CANONICAL[_plain(name)]
    except KeyError:
        near = nearest_expression(name)
        hint = f" (did you mean {near}?)" if near else ""
        raise ValueError(
            f"unknown expression {name!r}{hint}; expected one of {', '.join(EXPRESSIONS)} or an alias"
        ) from None


def nearest_expression(name: str) -> str | None:
    """The canonical expression of which a word is probably a misspelling, or None."""
    close = get_close_matches(_plain(name), _CANONICAL, n=1, cutoff=0.8)
    return _CANONICAL[close[0]] if close else None


@dataclass(frozen=True, slots=True)
class FaceLabels:
    """What is known of one photograph. None means unknown.

    Attributes:
        subject: the person, unique within the data set.
        expression: a canonical name, or the data set's own word for any other expression.
        side: the affected side, the subject's.
        severity: House-Brackmann grade, 1.0 to 6.0.
        group: the kind of palsy.
        sunnybrook: composite score of the Sunnybrook scale, 0 to 100 (normal); kept, not used.
        eface: total score of the eFACE scale, 0 to 100 (normal); kept, not used.
    """

    subject: str | None = None
    expression: str | None = None
    side: Side | None = None
    severity: float | None = None
    group: Group | None = None
    sunnybrook: float | None = None
    eface: float | None = None
