"""The plain fusions: what each computes, what it refuses, and that a recipe trains with it."""

import json
from pathlib import Path

import pytest
import torch

from palsykit.faces.pairing import pair
from palsykit.faces.views import batch
from palsykit.files.weights import load
from palsykit.interfaces import Encoded, TokenSpec
from palsykit.recipe import load_recipe
from palsykit.run import run_recipe
from palsykit.run.parts import Parts
from palsykit_fusions.concatenation import Concatenation
from palsykit_fusions.dcface import DcFace
from palsykit_fusions.decoupled import Decoupled
from palsykit_fusions.gated_sum import GatedSum
from palsykit_fusions.modulation import Modulation

ROOT = Path(__file__).parents[3]
SPECS = {"identity": TokenSpec(16, 12, 6), "expression": TokenSpec(16, 10), "landmark": TokenSpec(16, 8)}
EVERY = [Concatenation, Modulation, GatedSum, Decoupled, DcFace]


def conditions(rows: int = 2) -> dict[str, Encoded]:
    g = torch.Generator().manual_seed(0)
    return {
        name: Encoded(
            torch.randn(rows, spec.tokens, spec.width, generator=g),
            None if spec.pooled is None else torch.randn(rows, spec.pooled, generator=g),
        )
        for name, spec in SPECS.items()
    }


@pytest.mark.parametrize("kind", EVERY)
def test_the_pooled_vector_is_left_to_core(kind: type) -> None:
    assert kind(SPECS, width=4)(conditions()).pooled is None
    assert not hasattr(kind(SPECS, width=4), "pooled_width")


def test_concatenation_keeps_every_token_in_the_recipes_order() -> None:
    fusion, given = Concatenation(SPECS, width=4), conditions()
    tokens = fusion(given).tokens["all"]
    assert tokens.shape == (2, 48, 4)
    assert torch.allclose(
        tokens[:, 16:32], fusion.project["expression"](given["expression"].tokens) + fusion.whose["expression"]
    )


def test_modulation_scales_and_shifts_all_positions_alike() -> None:
    fusion, given = Modulation(SPECS, width=4), conditions()
    with torch.no_grad():
        fusion.film.weight.zero_()
        fusion.film.bias.copy_(torch.tensor([1.0, 1, 1, 1, 5, 5, 5, 5]))
    expected = 2 * fusion.project(given["identity"].tokens) + 5
    assert torch.allclose(fusion(given).tokens["modulated"], expected, atol=1e-6)


def test_modulation_wants_something_to_be_modulated_by() -> None:
    with pytest.raises(ValueError, match="expected 'identity' and another condition, found identity"):
        Modulation({"identity": SPECS["identity"]})
    with pytest.raises(ValueError, match="expected 'who'"):
        Modulation(SPECS, of="who")


def test_gates_open_and_close() -> None:
    fusion, given = GatedSum(SPECS, width=4), conditions()
    with torch.no_grad():
        for name, gate in fusion.gate.items():
            gate.weight.zero_()
            gate.bias.fill_(40.0 if name == "landmark" else -40.0)
    expected = torch.tanh(fusion.value["landmark"](given["landmark"].tokens))
    assert torch.allclose(fusion(given).tokens["gated"], expected, atol=1e-6)


def test_gated_sum_wants_equal_positions() -> None:
    with pytest.raises(ValueError, match="found identity 16, landmark 84; change the encoders' tokens, or use concat"):
        GatedSum({"identity": SPECS["identity"], "landmark": TokenSpec(84, 8)})


def test_decoupled_names_a_stream_for_each_condition() -> None:
    fusion = Decoupled(SPECS, width=4)
    found = fusion(conditions()).tokens
    assert fusion.streams == tuple(found) == tuple(SPECS)
    assert {tokens.shape for tokens in found.values()} == {(2, 16, 4)}


def test_dcfaces_style_is_a_patchs_mean_and_deviation() -> None:
    fusion, given = DcFace(SPECS, width=4), conditions()
    assert fusion(given).tokens["dual"].shape == (2, 16 + 2 * 5, 4)
    grid = given["landmark"].tokens.unflatten(1, (4, 4))  # (B, rows, columns, W)
    found = fusion._statistics(given["landmark"].tokens, 4)
    lower_left = grid[:, 2:, :2].flatten(1, 2)
    assert torch.allclose(found[:, 2, :8], lower_left.mean(1), atol=1e-5)
    assert torch.allclose(found[:, 2, 8:], lower_left.std(1, correction=0), atol=1e-4)
    assert torch.allclose(found[:, 4, :8], given["landmark"].tokens.mean(1), atol=1e-5)


def test_dcfaces_style_does_not_know_where_in_a_patch() -> None:
    fusion, given = DcFace(SPECS, width=4), conditions()
    tokens = given["expression"].tokens
    turned = tokens.clone()
    turned[:, [0, 1, 4, 5]] = tokens[:, [5, 4, 1, 0]]  # the upper left patch's four
    other = {**given, "expression": Encoded(turned)}
    assert torch.allclose(fusion(other).tokens["dual"], fusion(given).tokens["dual"], atol=1e-5)


@pytest.mark.parametrize(
    ("specs", "keys", "message"),
    [
        ({"identity": TokenSpec(16, 8), "landmark": TokenSpec(84, 8)}, {}, "landmark has 84 tokens; expected a square"),
        (SPECS, {"patches": 3}, "expression has 16 tokens; expected a square grid of 3 x 3 patches"),
        (SPECS, {"patches": 4}, "4 x 4 patches with four tokens each"),
        ({"identity": TokenSpec(16, 8)}, {}, "expected 'identity' and one or more styles"),
    ],
)
def test_dcface_refuses_what_is_no_grid(specs: dict[str, TokenSpec], keys: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DcFace(specs, **keys)


def test_each_is_a_page() -> None:
    files = sorted((ROOT / "plugins" / "palsykit_fusions").glob("*.py"))
    assert len(files) == 6
    assert [file.name for file in files if len(file.read_text().splitlines()) >= 80] == []


# the reference's landmark tokens are no grid: the found points are among them
GRIDS = ["conditions.landmark.points=false"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [("concatenation", []), ("modulation", []), ("gated_sum", GRIDS), ("decoupled", []), ("dcface", GRIDS)],
)
def test_the_reference_recipe_takes_a_step_with_it(name: str, changes: list[str]) -> None:
    small = [
        "train.start=null",
        "denoiser.channels=[8, 16, 32]",
        "denoiser.head_channels=8",
        "networks.points.width=0.5",
    ]
    people = "data={use: face_space, identities: 1, validation: 0, test: 0, renders: 2}"
    plain = "trainer={use: diffusion}"
    changes = [*changes, *small, people, plain, f"fusion={{use: {name}, width: 16}}"]
    parts = Parts(load_recipe(ROOT / "recipes" / "base.yaml", changes))
    model = parts.model()
    data = parts.data()
    assert parts.settings.trainer is not None
    trainer = parts.trainer(parts.settings.trainer, data)
    faces = batch(data.dataset, pair(data.splits["train"], 0))
    terms = trainer.losses(model, faces, torch.Generator().manual_seed(0), "model")
    torch.stack(list(terms.values())).sum().backward()
    still = [name for name, weight in model.fusion.named_parameters() if weight.grad is None]
    assert still == []


def test_a_recipe_trains_from_end_to_end(tmp_path: Path) -> None:
    changes = ["fusion={use: decoupled, width: 16}", "train.steps=2", "trainer={use: diffusion}"]
    changes += [f"fits.{fit}.steps=1" for fit in range(3)] + [f"metrics.{m}=null" for m in ("ssim", "identity", "afid")]
    run_recipe(load_recipe(ROOT / "tests" / "run" / "tiny.yaml", [*changes, "generate.identities=1"]), tmp_path / "run")
    state, _ = load(tmp_path / "run" / "model" / "conditioning.safetensors")
    assert [key for key in state if key.startswith("fusion.")]
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]["psnr"] > 0
