"""What went wrong on the user's side, in words for the user."""

from collections.abc import Sequence


class PalsykitError(Exception):
    """A problem that the user can mend: the command line prints it without a traceback and exits with 2.

    Attributes:
        message: one line: where, what was found, what was expected, the next step.
        problems: further lines, each a problem of its own.
    """

    def __init__(self, message: str, problems: Sequence[object] = ()):
        self.message = message
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(f"  {problem}" for problem in self.problems)]))
