"""What a check says: passed; failed, with what was expected, seen and how to mend it; or not checked, and why."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from palsykit.errors import PalsykitError

State = Literal["passed", "failed", "not checked"]


class Unmet(Exception):
    """A contract that a part does not keep: what was expected, what was seen, how to mend it."""

    def __init__(self, expected: str, seen: str, mend: str):
        super().__init__(f"expected {expected}; seen {seen}; {mend}")
        self.expected, self.seen, self.mend = expected, seen, mend


class NotChecked(Exception):
    """A check that does not apply to this part, or cannot be made here; its words are the reason."""


@dataclass(frozen=True)
class Result:
    """One check's outcome.

    Attributes:
        check: its name.
        state: "passed", "failed" or "not checked".
        expected: what the contract asks for; for a check that was not made, why not.
        seen: what was found instead.
        mend: what the part's author changes.
    """

    check: str
    state: State
    expected: str = ""
    seen: str = ""
    mend: str = ""

    def __str__(self) -> str:
        if self.state == "failed":
            said = {"expected": self.expected, "seen": self.seen, "mend": self.mend}
            lines = [f"    {f'{name}:':<9} {' '.join(words.split())}" for name, words in said.items()]
            return "\n".join([self.check, *lines])
        return f"{self.check}: {self.expected}" if self.expected else self.check


Check = tuple[str, Callable[[], None]]
"""A name and what raises ``Unmet`` or ``NotChecked``."""


def outcome(check: Check) -> Result:
    """Makes one check; what it raises unforeseen is a failure of the part as well."""
    name, run = check
    try:
        run()
    except Unmet as unmet:
        return Result(name, "failed", unmet.expected, unmet.seen, unmet.mend)
    except NotChecked as reason:
        return Result(name, "not checked", str(reason))
    except PalsykitError as error:
        return Result(name, "failed", "a part that can be built", str(error), "mend what the message names")
    except Exception as error:  # a part may raise anything
        return Result(
            name,
            "failed",
            "no error",
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]} [{_place(error)}]",
            "mend the line that raises; `python -m pytest` on a test that calls palsykit.testing.check shows it all",
        )
    return Result(name, "passed")


def _place(error: Exception) -> str:
    """file:line of the innermost frame outside torch and ourselves."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not any(folder in f.filename for folder in ("/torch/", "palsykit/testing/"))]
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def report(title: str, results: Sequence[Result]) -> str:
    """The failed checks in full, the others in a line each, and their counts."""
    lines = [title]
    for result in results:
        sign = {"passed": "ok  ", "failed": "FAIL", "not checked": "-   "}[result.state]
        lines.append(f"  {sign} {str(result).replace(chr(10), chr(10) + '     ')}")
    counts = [
        f"{sum(result.state == state for result in results)} {state}" for state in ("passed", "failed", "not checked")
    ]
    return "\n".join([*lines, f"  {', '.join(counts)}"])
