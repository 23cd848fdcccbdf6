"""Privacy of generated faces: do they resemble training people, does the model reveal these, what may be released?"""

from palsykit import hookimpl
from palsykit.hookspecs import RegisterCommand


@hookimpl
def palsykit_register_commands(register: RegisterCommand) -> None:
    register(
        "audit",
        "palsykit_audit.audit_command:command",
        help="Audit the privacy of a run's generated faces, or of a data set.",
    )
    register(
        "synthesize",
        "palsykit_audit.synthesize_command:command",
        help="Synthesise labelled pictures in bulk, audit and release them.",
    )
