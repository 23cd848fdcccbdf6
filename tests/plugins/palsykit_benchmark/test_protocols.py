"""Protocols by name."""

from types import SimpleNamespace
from typing import Any

import torch

from palsykit.faces.views import batch
from palsykit_benchmark.protocols import PROTOCOLS, SELF


def test_protocols_choose_the_first_identities(faces: Any) -> None:
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    assert all(protocol.words.startswith(protocol.name) for protocol in PROTOCOLS.values())
    for protocol in PROTOCOLS.values():
        pairs = protocol.chosen(faces.records, 2, 0)
        assert {pair.identity.labels.subject for pair in pairs} == {"s0", "s1"}
        assert len(protocol.chosen(faces.records, None, 0)) == 8
    own = SELF.faces(faces, SELF.chosen(faces.records, 1, 0))
    again = batch(faces, SELF.chosen(faces.records, 1, 0))
    assert own.target is own.driver
    assert torch.equal(own.identity.image, again.identity.image)
    assert SimpleNamespace(**vars(own)).target.labels[0].subject == "s0"
