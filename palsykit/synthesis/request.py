"""Which face a picture is to show: a driver's, or an expression by name; checked the same for library and command."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from palsykit.errors import PalsykitError
from palsykit.faces.dials import Dials, Length, dials_of
from palsykit.faces.parsing import labels_of
from palsykit.faces.vocabulary import FaceLabels, Side


@dataclass(frozen=True)
class Request:
    """What a user requests; needs no torch, so that a command refuses it before torch is imported.

    Attributes:
        labels: one per picture of a named expression; empty where a driver's photograph shows the face.
        strength: of the movement on a healthy side, 0 to 1.
        dials: finer than the grade, which they override on the affected side.
    """

    labels: tuple[FaceLabels, ...]
    strength: float
    dials: Dials = field(default_factory=Dials)

    @classmethod
    def of(
        cls,
        driver: object = None,
        rest: object = None,
        expression: str | None = None,
        side: str | None = None,
        severities: Sequence[float] = (),
        strength: float = 1.0,
        dials: Dials | None = None,
    ) -> "Request":
        """Checks what was given; None is what was not.

        Raises:
            PalsykitError: both or neither of driver and expression, or labels or dials that do not go together.
        """
        if driver is not None and expression is not None:
            raise PalsykitError("generate: both a driver and an expression; give one, and leave the other out")
        if driver is None and expression is None:
            raise PalsykitError("generate: neither a driver nor an expression; give one: a photograph, or a name")
        if rest is not None and driver is None:
            raise PalsykitError("generate: rest is the driver's person at rest, and there is no driver; leave it out")
        if expression is None:
            if side is not None or severities or dials:
                what = "side or severity" if side is not None or severities else "dials"
                raise PalsykitError(
                    f"generate: {what} with a driver, whose photograph shows them; leave them out, or give an "
                    "expression by name in place of the driver"
                )
            return cls((), strength)
        labels = tuple(labels_of(expression, side, severity) for severity in (*severities,) or (None,))
        if not 0 <= strength <= 1:
            raise PalsykitError(f"strength {strength:g}: expected 0 (no movement) to 1 (full)")
        return cls(labels, strength, _checked(dials or Dials(), labels))


def _checked(dials: Dials, labels: Sequence[FaceLabels]) -> Dials:
    """Dials that refine every grade that is asked for."""
    if not dials:
        return dials
    names = ", ".join(dials.given())
    if any(label.side in (None, Side.NONE) for label in labels):
        raise PalsykitError(
            f"dials ({names}) refine a grade above 1: say which, --side left or right and --severity 2 to 6"
        )
    for name, value in dials.given().items():
        if isinstance(value, Length) and any(label.side is Side.BILATERAL for label in labels):
            raise PalsykitError(
                f"{name} {value}: a length is against the healthy side, and with side bilateral there is none; give a "
                "share, 0 to 1"
            )
    return dials


def read_dials(**written: float | str | None) -> Dials:
    """The dials that a user writes; keywords are those of ``palsykit.faces.dials.dials_of``.

    Raises:
        PalsykitError: what cannot be read, or is out of range.
    """
    try:
        return dials_of(**written)
    except ValueError as error:
        raise PalsykitError(str(error)) from error
