"""Expression: the condition encoder ``expression``, E_Face(X) - E_ID(X)."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_encoders(register: Register) -> None:
    register("expression", "palsykit_expression.encoder:ExpressionEncoder")
