"""Errors that the user can correct."""

from collections.abc import Sequence


class PalsykitError(Exception):
    """A problem that the user can correct. The command line prints it without a traceback and exits with code 2.

    Attributes:
        message: one line: where, what was found, what was expected, the next step.
        problems: more lines, one per problem.
    """

    def __init__(self, message: str, problems: Sequence[object] = ()):
        self.message = message
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(f"  {problem}" for problem in self.problems)]))
