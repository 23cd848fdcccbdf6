"""Identity: the improved residual network ``ir`` and the condition encoder ``identity``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_networks(register: Register) -> None:
    register("ir", "palsykit_identity.ir:InsightResNet")


@hookimpl
def palsykit_register_encoders(register: Register) -> None:
    register("identity", "palsykit_identity.encoder:IdentityEncoder")
