"""A measured figure as JSON, and as a row of a report."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from palsykit.report.contents import MetricRow

if TYPE_CHECKING:
    from palsykit.measure.statistics import Figure


def finite(value: float | None) -> float | None:
    """``value``, or None where it is NaN or infinite, which JSON does not have."""
    return None if value is None or not math.isfinite(value) else float(value)


def as_json(figure: "Figure", finite_bounds: bool = False) -> dict[str, Any]:
    """Value, interval and count; a value that is not finite is null, and with ``finite_bounds`` such a bound too."""
    low, high = (finite(figure.low), finite(figure.high)) if finite_bounds else (figure.low, figure.high)
    return {"value": finite(figure.value), "low": low, "high": high, "count": figure.count}


def with_card(figure: "Figure") -> dict[str, Any]:
    """``as_json`` with every field of the metric's card, as metrics.json has it; ``as_row`` reads it."""
    return {**as_json(figure), "card": asdict(figure.card)}


def as_row(name: str, figure: Mapping[str, Any]) -> MetricRow:
    """The row of a figure ``with_card``; a null value is NaN, which the report prints as "not defined"."""
    value, card = figure["value"], figure["card"]
    printed = {key: card[key] for key in ("unit", "better", "definition", "source", "note")}
    measured = {key: figure[key] for key in ("low", "high", "count")}
    return MetricRow(name, math.nan if value is None else value, **measured, **printed)
