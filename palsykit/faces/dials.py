"""The finer dials of a palsy: what a region's movement, tone at rest and synkinesis are, in place of the grade's.

They are the parts that the Sunnybrook scale (Ross et al., Otolaryngol Head Neck Surg 1996) and eFACE (Banks et al.,
Plast Reconstr Surg 2015) score apart. A grade gives all of them; a dial that is set overrides the grade's.
"""

import math
from dataclasses import dataclass, fields

REGIONS = ("brow", "eye", "mouth")
MOST_MM = 20.0
"""Largest length of a dial, more than any part of a face is displaced by a palsy."""

_SYNKINETIC_REGIONS = ("eye", "mouth")


@dataclass(frozen=True)
class Length:
    """Where a point of the affected side is, against the healthy side's, in mm at 63 mm between the pupils."""

    mm: float

    def __str__(self) -> str:
        return f"{self.mm:g}mm"


Dial = float | Length


@dataclass(frozen=True)
class Dials:
    """One palsy's finer dials; None leaves what the grade gives.

    Attributes:
        brow: share of the healthy brow's movement that the affected one makes, 0 to 1; or a ``Length``: how much higher
            (below 0: lower) the middle of the affected brow is than the healthy one in the picture.
        eye: share of the fissure that a full closure of the affected eye covers, 0 to 1 (1 shuts); or a ``Length``: how
            much wider (below 0: narrower) the affected eye is open than the healthy one. No eye is narrower than shut.
        mouth: share of the healthy half mouth's movement, 0 to 1; or a ``Length``: how much higher (below 0: lower) the
            corner on the affected side is than the healthy one.
        tone_brow: tone at rest, 1 (normal) to 0 (none: the brow hangs).
        tone_eye: likewise; without tone the lower lid sags and the eye is wider open.
        tone_mouth: likewise; without tone the corner hangs, the fold is flat, the mouth is pulled to the healthy side.
        synkinesis_eye: how much the eye narrows with movements of the mouth, 0 (not) to 1 (severe).
        synkinesis_mouth: how much the corner of the mouth moves with the eye and the brow, 0 to 1.

    Raises:
        ValueError: a number is out of its range.
    """

    brow: Dial | None = None
    eye: Dial | None = None
    mouth: Dial | None = None
    tone_brow: float | None = None
    tone_eye: float | None = None
    tone_mouth: float | None = None
    synkinesis_eye: float | None = None
    synkinesis_mouth: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.given().items():
            if isinstance(value, Length):
                if name not in REGIONS:
                    raise ValueError(f"{name} {value}: found a length, expected a share, 0 to 1")
                if not abs(value.mm) <= MOST_MM:
                    raise ValueError(f"{name} {value}: expected -{MOST_MM:g}mm to {MOST_MM:g}mm")
            elif not 0 <= value <= 1:
                raise ValueError(f"{name} {value:g}: expected a share, 0 to 1{_OR_LENGTH if name in REGIONS else ''}")

    def given(self) -> dict[str, Dial]:
        """The dials that are set, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def facts(self) -> dict[str, float | str]:
        """The dials that are set, as JSON can hold them: shares as numbers, lengths as texts."""
        return {name: str(value) if isinstance(value, Length) else value for name, value in self.given().items()}

    def __bool__(self) -> bool:
        return bool(self.given())


_OR_LENGTH = ", or a length as -4mm"


def dials_of(
    brow: float | str | None = None,
    eye: float | str | None = None,
    mouth: float | str | None = None,
    tone: float | str | None = None,
    synkinesis: float | str | None = None,
) -> Dials:
    """The dials that a user writes: numbers, or texts as a command line has them.

    Args:
        brow: ``0.2`` or ``-3mm``; see ``Dials``.
        eye: likewise.
        mouth: likewise.
        tone: ``0.5`` for the whole half of the face, or by region: ``brow=1,mouth=0.2``.
        synkinesis: likewise; of eye and mouth.

    Raises:
        ValueError: what cannot be read, or is out of range.
    """
    values: dict[str, Dial] = {
        name: _dial(name, value)
        for name, value in (("brow", brow), ("eye", eye), ("mouth", mouth))
        if value is not None
    }
    for name, by_region, regions in (("tone", tone, REGIONS), ("synkinesis", synkinesis, _SYNKINETIC_REGIONS)):
        if by_region is not None:
            values |= {f"{name}_{region}": share for region, share in _shares(name, by_region, regions).items()}
    return Dials(**values)  # type: ignore[arg-type]  # Dials refuses lengths where it takes none


def _dial(name: str, value: float | str) -> Dial:
    text = str(value).strip().lower()
    length = text.endswith("mm")
    number = _number(name, text.removesuffix("mm"), text, _OR_LENGTH)
    return Length(number) if length else number


def _shares(name: str, value: float | str, regions: tuple[str, ...]) -> dict[str, float]:
    parts = str(value).split(",")
    if len(parts) == 1 and "=" not in parts[0]:
        return dict.fromkeys(regions, _number(name, parts[0], str(value)))
    shares: dict[str, float] = {}
    for part in parts:
        region, equals, share = (word.strip() for word in part.partition("="))
        if not equals or region not in regions or region in shares:
            expected = ",".join(f"{each}=0.5" for each in regions)
            raise ValueError(f"{name} {value}: found {part.strip()!r}, expected one share, 0 to 1, or {expected}")
        shares[region] = _number(name, share, str(value))
    return shares


def _number(name: str, text: str, written: str, hint: str = "") -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} {written}: expected a share, 0 to 1{hint}")
    return number
