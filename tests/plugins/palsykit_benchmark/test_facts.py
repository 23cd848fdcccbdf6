"""What a benchmark's figures depend on, in words."""

import hashlib
from pathlib import Path

from palsykit_benchmark.facts import weights_of


def test_networks_weights_are_named_with_their_hash(tmp_path: Path) -> None:
    (tmp_path / "judge.safetensors").write_bytes(b"abc")
    networks = {"judge": {"use": "ir", "weights": "judge.safetensors"}, "other": {"use": "ir", "weights": None}}
    assert weights_of(networks, tmp_path) == f"judge {hashlib.sha256(b'abc').hexdigest()[:12]}"
    assert weights_of({"other": {"weights": None}}, tmp_path) == "untrained"
