"""Distributions of a score in several groups, as the share below each value: one small SVG."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from palsykit.report.curves import ACCENT, INK, LINE, MUTED
from palsykit.report.words import number

STYLES = ((ACCENT, "-"), ("#b7791f", "-"), (INK, "--"), ("#8a5a9e", ":"), (MUTED, "-."))


@dataclass(frozen=True, eq=False)
class Distribution:
    """Groups of one score.

    Attributes:
        groups: name -> values; NaN is left out.
        threshold: a value to be marked, and ``threshold_is`` its name; None marks none.
    """

    title: str
    score: str
    groups: Mapping[str, NDArray[np.floating]]
    threshold: float | None = None
    threshold_is: str = "threshold"


def distributions_svg(plot: Distribution) -> str:
    """The empirical distribution functions; equal contents give equal text."""
    figure = Figure(figsize=(5.4, 3.7), layout="constrained")
    axes = figure.add_subplot()
    for (name, values), (colour, style) in zip(_known(plot).items(), STYLES, strict=False):
        ordered = np.sort(values)
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        axes.step(
            np.append(ordered[:1], ordered), np.append(0, share), where="post", color=colour, ls=style, label=name
        )
    if plot.threshold is not None:
        axes.axvline(plot.threshold, color="#b3261e", linewidth=1, label=plot.threshold_is)
    axes.set_xlabel(plot.score, fontsize=8, color=MUTED)
    axes.set_ylabel("share at or below", fontsize=8, color=MUTED)
    axes.set_ylim(0, 1.02)
    axes.tick_params(which="both", labelsize=8, colors=MUTED, length=0)
    axes.grid(color=LINE, linewidth=0.7)
    axes.spines[:].set_visible(False)
    figure.legend(fontsize=7, frameon=False, loc="outside lower center", ncols=2, labelcolor=INK)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "palsykit"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def in_words(plot: Distribution) -> str:
    """Median and range of each group: "held-out people: 0.31 (0.12 to 0.56)"."""
    said = [
        f"{name}: median {number(float(np.median(values)))}, {number(float(values.min()))} to "
        f"{number(float(values.max()))}"
        for name, values in _known(plot).items()
    ]
    said += [] if plot.threshold is None else [f"{plot.threshold_is}: {number(plot.threshold)}"]
    return "; ".join(said)


def _known(plot: Distribution) -> dict[str, NDArray[np.floating]]:
    found = {name: np.asarray(values)[np.isfinite(values)] for name, values in plot.groups.items()}
    return {name: values for name, values in found.items() if len(values)}
