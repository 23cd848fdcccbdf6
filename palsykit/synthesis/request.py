"""Which face a picture is to show: a driver's, or an expression by name; checked the same for library and command."""

from collections.abc import Sequence
from dataclasses import dataclass

from palsykit.errors import PalsykitError
from palsykit.faces.parsing import labels_of
from palsykit.faces.vocabulary import FaceLabels


@dataclass(frozen=True)
class Request:
    """What a user requests; needs no torch, so that a command refuses it before torch is imported.

    Attributes:
        labels: one per picture of a named expression; empty where a driver's photograph shows the face.
        strength: of the movement on a healthy side, 0 to 1.
    """

    labels: tuple[FaceLabels, ...]
    strength: float

    @classmethod
    def of(
        cls,
        driver: object = None,
        rest: object = None,
        expression: str | None = None,
        side: str | None = None,
        severities: Sequence[float] = (),
        strength: float = 1.0,
    ) -> "Request":
        """Checks what was given; None is what was not.

        Raises:
            PalsykitError: both or neither of driver and expression, or labels that do not go together.
        """
        if driver is not None and expression is not None:
            raise PalsykitError("generate: both a driver and an expression; give one, and leave the other out")
        if driver is None and expression is None:
            raise PalsykitError("generate: neither a driver nor an expression; give one: a photograph, or a name")
        if rest is not None and driver is None:
            raise PalsykitError("generate: rest is the driver's person at rest, and there is no driver; leave it out")
        if expression is None:
            if side is not None or severities:
                raise PalsykitError(
                    "generate: side or severity with a driver, whose photograph shows them; leave them out, or give an "
                    "expression by name in place of the driver"
                )
            return cls((), strength)
        labels = tuple(labels_of(expression, side, severity) for severity in (*severities,) or (None,))
        if not 0 <= strength <= 1:
            raise PalsykitError(f"strength {strength:g}: expected 0 (no movement) to 1 (full)")
        return cls(labels, strength)
