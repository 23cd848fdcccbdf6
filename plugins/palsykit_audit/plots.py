"""Distributions of an audit's scores, as SVG and in words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palsykit.report.plots import ACCENT, ALARM, INK, MUTED, VIOLET, WARM, canvas, style, svg
from palsykit.report.words import number


@dataclass(frozen=True, eq=False)
class Distribution:
    """Groups of one score.

    Attributes:
        groups: name -> values; NaN is left out.
        threshold: a value to mark, and ``threshold_is`` its name; None marks none.
    """

    title: str
    score: str
    groups: Mapping[str, NDArray[np.floating]]
    threshold: float | None = None
    threshold_is: str = "threshold"


def distributions_svg(plot: Distribution) -> str:
    """The empirical distribution functions: for each group the share at or below each value."""
    figure = canvas(5.4, 3.7)
    axes = figure.add_subplot()
    styles = ((ACCENT, "-"), (WARM, "-"), (INK, "--"), (VIOLET, ":"), (MUTED, "-."))
    for (name, values), (colour, dashes) in zip(_known(plot).items(), styles, strict=False):
        ordered = np.sort(values)
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        axes.step(
            np.append(ordered[:1], ordered), np.append(0, share), where="post", color=colour, ls=dashes, label=name
        )
    if plot.threshold is not None:
        axes.axvline(plot.threshold, color=ALARM, linewidth=1, label=plot.threshold_is)
    axes.set(xlabel=plot.score, ylabel="share at or below", ylim=(0, 1.02))
    style(axes)
    figure.legend(fontsize=7, frameon=False, loc="outside lower center", ncols=2, labelcolor=INK)
    return svg(figure)


def distributions_in_words(plot: Distribution) -> str:
    """Median and range of each group: "held-out people: median 0.31, 0.12 to 0.56"."""
    parts = [
        f"{name}: median {number(float(np.median(values)))}, {number(float(values.min()))} to "
        f"{number(float(values.max()))}"
        for name, values in _known(plot).items()
    ]
    parts += [] if plot.threshold is None else [f"{plot.threshold_is}: {number(plot.threshold)}"]
    return "; ".join(parts)


def _known(plot: Distribution) -> dict[str, NDArray[np.floating]]:
    finite = {name: np.asarray(values)[np.isfinite(values)] for name, values in plot.groups.items()}
    return {name: values for name, values in finite.items() if len(values)}
