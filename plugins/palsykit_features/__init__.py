"""Any frozen network as a condition: the encoder ``features``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_encoders(register: Register) -> None:
    register("features", "palsykit_features.encoder:FeatureEncoder")
