"""torch-fidelity's network, built without the weights that it would download or unpickle."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from torch import nn

from palsykit.errors import PalsykitError

INSTALL = "pip install 'palsykit[fidelity]'"


def unloaded() -> nn.Module:
    """FID's Inception with its 2,048 features and random weights.

    Raises:
        PalsykitError: torch-fidelity is missing.
    """
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as theirs
    except ImportError as error:
        raise PalsykitError(f"network inception: {error}; {INSTALL}") from error

    class Unloaded(theirs.FeatureExtractorInceptionV3):  # type: ignore[misc]
        # The constructor loads the empty dict from _nothing_loaded; a strict load would refuse it.
        def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
            return super().load_state_dict(state_dict, strict=strict and bool(state_dict), assign=assign)

    with _nothing_loaded(theirs):
        model: nn.Module = Unloaded("inception", ["2048"])
    return model


@contextmanager
def _nothing_loaded(theirs: ModuleType) -> Iterator[None]:
    """Make the constructor load nothing. Its own ways are a URL and a pickle; we load safetensors."""
    download = theirs.load_state_dict_from_url
    theirs.load_state_dict_from_url = lambda url, **_: {}
    try:
        yield
    finally:
        theirs.load_state_dict_from_url = download
