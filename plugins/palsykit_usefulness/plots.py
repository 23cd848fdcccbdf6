"""Few-shot curves: figures over the number of real training people."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from palsykit.report.plots import ACCENT, INK, MUTED, VIOLET, WARM, canvas, style, svg


@dataclass(frozen=True)
class Series:
    """One system's values and intervals for each number of people; a single point at 0 becomes a horizontal line."""

    name: str
    people: list[int]
    values: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class FewShot:
    """One figure over the number of training people; ``constant`` is the value of the best constant answer."""

    label: str
    series: list[Series]
    constant: float | None = None


def few_shot_svg(plots: Sequence[FewShot]) -> str:
    """Draw the plots side by side, on white.

    Raises:
        ValueError: there are no plots.
    """
    if not plots:
        raise ValueError("found no figures; few-shot curves need one or more")
    figure = canvas(4.2 * len(plots), 3.4)
    for place, plot in enumerate(plots, 1):
        _draw_few_shot(figure.add_subplot(1, len(plots), place), plot)
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, fontsize=7, frameon=False, loc="outside lower center", ncols=len(names), labelcolor=INK)
    return svg(figure, ground="white")


def _draw_few_shot(axes: Axes, plot: FewShot) -> None:
    if ticks := sorted({people for series in plot.series for people in series.people if people > 0}):
        axes.set_xscale("log")
        axes.set_xticks(ticks, labels=[str(people) for people in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    for series, colour in zip(plot.series, (ACCENT, WARM, INK, VIOLET), strict=False):
        if series.people == [0]:
            axes.axhspan(series.low[0], series.high[0], color=colour, alpha=0.1, linewidth=0)
            axes.axhline(series.values[0], color=colour, linewidth=1.4, linestyle="--", label=f"{series.name} alone")
            continue
        axes.fill_between(series.people, series.low, series.high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            series.people, series.values, color=colour, linewidth=1.8, marker="o", markersize=4, label=series.name
        )
    if plot.constant is not None:
        axes.axhline(plot.constant, color=MUTED, linewidth=1, linestyle=":", label="best constant answer")
    axes.set_title(plot.label, fontsize=9, color=INK, loc="left")
    axes.set_xlabel("real people trained on")
    style(axes)
