"""How numbers and labels are written in reports, cards and figures."""

import math
from collections.abc import Sequence

_SIDES = {"none": "unaffected"}
_ROMAN = ("I", "II", "III", "IV", "V", "VI")


def number(value: float | None) -> str:
    """``value`` to three significant digits, its whole part in full; NaN is "not defined", None a dash."""
    if value is None:
        return "—"
    if math.isnan(value):
        return "not defined"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -5 or exponent > 8:
        return f"{value:.2e}"
    return f"{value:,.{max(0, 2 - exponent)}f}".replace(",", "\u202f")


def whole(value: int) -> str:
    """A count with its thousands separated: 5700000 -> "5 700 000" (narrow spaces)."""
    return f"{value:,}".replace(",", "\u202f")


def interval(low: float | None, high: float | None) -> str:
    """A 95 % interval, or a dash for none."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "—"
    return f"{number(low)} to {number(high)}"


def expression(name: str) -> str:
    """An expression's name in words: lower_lip_depression -> "lower lip depression"."""
    return name.replace("_", " ")


def grade(severity: float) -> str:
    """A House-Brackmann grade: 4.0 -> "HB IV", 3.5 -> "HB 3.5"."""
    if severity.is_integer() and 1 <= severity <= len(_ROMAN):
        return f"HB {_ROMAN[int(severity) - 1]}"
    return f"HB {severity:.1f}"


def palsy(side: str | None, severity: float | None) -> str:
    """Side and grade for a caption; what is unknown is left out, unless both are unknown."""
    known = [_SIDES.get(side, side)] if side is not None else []
    if severity is not None:
        known.append(grade(severity))
    return " · ".join(known) or "side, grade unknown"


def better(direction: str) -> str:
    """A metric's direction, "higher" or "lower", with its arrow."""
    return {"higher": "↑ higher", "lower": "↓ lower"}.get(direction, direction or "—")


def names(items: Sequence[str]) -> str:
    """``a, b, c``, or the first eight and how many more there are."""
    return ", ".join(items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")
