"""The page of results: its title, and what a figure should reach."""

from dataclasses import dataclass

TITLE = """# Results

Written section by section, each by the command that it names; not edited by hand. A figure has its
95 % bootstrap interval over people, all of a person's pictures together, in brackets. The metrics' definitions are on
the cards in every report.
"""


@dataclass(frozen=True)
class Aim:
    """What a figure should reach: at least or at most a value, or more than another system has.

    Attributes:
        above: the other system.
        lower: whether less of the figure is better, so that to surpass is to be below.
    """

    least: float | None = None
    most: float | None = None
    above: str | None = None
    lower: bool = False

    def words(self) -> str:
        """As a table says it; "" without an aim."""
        said = [f"≥ {self.least:g}"] if self.least is not None else []
        said += [f"≤ {self.most:g}"] if self.most is not None else []
        return " and ".join(said + ([f"{'<' if self.lower else '>'} {self.above}"] if self.above else []))

    def reached(self, value: float, other: float | None = None) -> bool | None:
        """Whether a system's value reaches it; None without an aim, or without the other system's value."""
        if not self.words() or (self.above and other is None):
            return None
        better = other is None or (value < other if self.lower else value > other)
        least, most = self.least is None or value >= self.least, self.most is None or value <= self.most
        return bool(least and most and (not self.above or better))
