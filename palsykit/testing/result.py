"""The result of a check: passed; failed, with what was expected and seen and how to fix it; or not checked, and why."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from palsykit.errors import PalsykitError

State = Literal["passed", "failed", "not checked"]


class Unmet(Exception):
    """A part breaks its contract: what was expected, what was seen, how to fix it."""

    def __init__(self, expected: str, seen: str, mend: str):
        super().__init__(f"expected {expected}; seen {seen}; {mend}")
        self.expected, self.seen, self.mend = expected, seen, mend


def require(met: object, expected: str, seen: object, mend: str) -> None:
    """Raise ``Unmet`` with these three unless ``met`` is true."""
    if not met:
        raise Unmet(expected, str(seen), mend)


class NotChecked(Exception):
    """A check that does not apply to this part, or cannot run here; the message is the reason."""


@dataclass(frozen=True)
class Result:
    """The outcome of one check.

    Attributes:
        check: its name.
        state: "passed", "failed" or "not checked".
        expected: what the contract requires; for "not checked", the reason.
        seen: what was seen instead.
        mend: how the part's author can fix it.
    """

    check: str
    state: State
    expected: str = ""
    seen: str = ""
    mend: str = ""

    def __str__(self) -> str:
        if self.state == "failed":
            details = {"expected": self.expected, "seen": self.seen, "fix": self.mend}
            lines = [f"    {f'{name}:':<9} {' '.join(words.split())}" for name, words in details.items()]
            return "\n".join([self.check, *lines])
        return f"{self.check}: {self.expected}" if self.expected else self.check


Check = tuple[str, Callable[[], object]]
"""A name, and a function that raises ``Unmet`` or ``NotChecked``."""


def outcome(check: Check) -> Result:
    """Run one check. Any other exception also counts as a failure of the part."""
    name, run = check
    try:
        run()
    except Unmet as unmet:
        return Result(name, "failed", unmet.expected, unmet.seen, unmet.mend)
    except NotChecked as reason:
        return Result(name, "not checked", str(reason))
    except PalsykitError as error:
        return Result(name, "failed", "a part that can be built", str(error), "fix what the message names")
    except Exception as error:  # a part may raise anything
        return Result(
            name,
            "failed",
            "no error",
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]} [{_place(error)}]",
            "fix the line that raises; for the whole traceback run `python -m pytest` on a test that calls "
            "palsykit.testing.check",
        )
    return Result(name, "passed")


def _place(error: Exception) -> str:
    """file:line of the innermost frame outside torch and palsykit.testing."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not any(folder in f.filename for folder in ("/torch/", "palsykit/testing/"))]
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def report(title: str, results: Sequence[Result]) -> str:
    """Failed checks in full, the others as one line each, then the counts."""
    lines = [title]
    for result in results:
        sign = {"passed": "ok  ", "failed": "FAIL", "not checked": "-   "}[result.state]
        lines.append(f"  {sign} {str(result).replace(chr(10), chr(10) + '     ')}")
    counts = [f"{sum(result.state == state for result in results)} {state}" for state in get_args(State)]
    return "\n".join([*lines, f"  {', '.join(counts)}"])
