"""Public layouts, from small checkpoints in the public form to networks that see what the public ones see."""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from safetensors import safe_open
from torch import Tensor, nn

from palsykit.cli import main
from palsykit.errors import PalsykitError
from palsykit.recipe import build_part
from palsykit.recipe.schema import PartBlock
from palsykit_convert.conversion import convert_weights, layouts
from palsykit_identity.ir import InsightResNet
from palsykit_landmark.mean_face import MEAN_FACE
from palsykit_landmark.mobilefacenet import MobileFaceNet, face_box

SIZE = 32
BOX = face_box()


def settled(net: nn.Module) -> nn.Module:
    """Weights and statistics as after some training, none of them at its start."""
    generator = torch.Generator().manual_seed(0)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise.abs() + 0.5 if "running_var" in name else value + 0.1 * noise)
    return net.eval()


def face_network() -> InsightResNet:
    torch.manual_seed(0)
    return settled(InsightResNet(SIZE, depth=18, width=0.0625, embedding=12))  # type: ignore[return-value]


def lightning(net: nn.Module, path: Path, **changes: Any) -> Path:
    """A checkpoint as AdaFace's are: Lightning's with a Namespace, the network as ``model.``, its head beside it."""
    state = {f"model.{name}": value for name, value in net.state_dict().items()}
    state |= {"head.kernel": torch.randn(12, 30), "head.t": torch.zeros(1)}
    state |= {"head.batch_mean": torch.ones(1), "head.batch_std": torch.ones(1)}
    for name, value in changes.items():
        state.pop(name.replace("__", "."), None)
        if value is not None:
            state[name.replace("__", ".")] = value
    torch.save({"epoch": 25, "hyper_parameters": argparse.Namespace(arch="ir_18"), "state_dict": state}, path)
    return path


def pictures(count: int = 3) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def load(made: Any, target: Path) -> nn.Module:
    block = PartBlock(use=made.network.use, parameters={**made.network.parameters, "weights": str(target)})
    net: nn.Module = build_part("networks", block, made.image_size)
    return net.eval()


def test_layouts_are_the_networks_own() -> None:
    assert {name: network for name, (network, _) in layouts().items()} == {
        "adaface": "ir",
        "arcface": "ir",
        "inception": "inception",
        "mobilefacenet68": "mobilefacenet",
    }


def test_adafaces_weights_see_bgr_arcface_crops(tmp_path: Path) -> None:
    public, target = face_network(), tmp_path / "adaface.safetensors"
    made = convert_weights(lightning(public, tmp_path / "a.ckpt"), target, "adaface")
    expected = {"depth": 18, "width": 0.0625, "embedding": 12, "colours": "bgr", "crop": "arcface"}
    assert (made.network.use, made.network.parameters, made.image_size) == ("ir", expected, SIZE)
    assert made.dropped == ["head.kernel", "head.t", "head.batch_mean", "head.batch_std"]
    net, images = load(made, target), pictures()
    crop = F.interpolate(images, size=(SIZE, SIZE))  # any picture that has the crop in its middle
    crops = InsightResNet(SIZE, depth=18, width=0.0625, embedding=12, crop="arcface")._as_seen(crop)
    # what the public network is given: (value / 255 - 0.5) / 0.5 of the crop, blue first
    given = torch.stack([crops[:, 2], crops[:, 1], crops[:, 0]], dim=1)
    assert torch.allclose(net(images).embedding, public(given).embedding, atol=1e-5)
    assert not torch.allclose(net(images).embedding, public(crops).embedding, atol=1e-2)


@pytest.mark.parametrize("affine", [False, True], ids=["plain last norm", "affine last norm"])
def test_arcfaces_weights_see_rgb(tmp_path: Path, affine: bool) -> None:
    public, target = face_network(), tmp_path / "arcface.safetensors"
    state = dict(public.state_dict())
    scale, shift = torch.linspace(-1, 2, 12), torch.linspace(1, -1, 12)
    if affine:
        state |= {"output_layer.4.weight": scale, "output_layer.4.bias": shift}
    torch.save(state, tmp_path / "backbone.pth")
    made = convert_weights(tmp_path / "backbone.pth", target, "arcface")
    assert made.network.parameters["colours"] == "rgb"
    net = load(made, target)
    crops = net._as_seen(pictures())
    expected = public(crops).embedding
    expected = expected * scale + shift if affine else expected
    assert torch.allclose(net(pictures()).embedding, expected, atol=1e-5)


class PublicPoints(nn.Module):
    """The public 68-point network's arithmetic: our body, then depthwise convolution, linear and a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = settled(MobileFaceNet(SIZE, width=0.125))
        self.norm = settled(nn.BatchNorm1d(136))

    def state(self) -> dict[str, Tensor]:
        state = {name: value for name, value in self.net.state_dict().items() if name != "output_layer.linear.bias"}
        return state | {f"output_layer.bn.{name}": value for name, value in self.norm.state_dict().items()}

    def forward(self, image: Tensor) -> Tensor:
        """BGR in [0, 1] -> points in crop sides."""
        head = self.net.output_layer
        features = head.conv_6_dw(self.net(image).map).flatten(1)
        return self.norm(F.linear(features, head.linear.weight)).unflatten(1, (68, 2))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_public_68_points_land_where_the_public_network_puts_them(tmp_path: Path, prefix: str) -> None:
    public, target = PublicPoints().eval(), tmp_path / "points.safetensors"
    state = {prefix + name: value for name, value in public.state().items()}
    torch.save({"state_dict": state, "epoch": 40}, tmp_path / "best.pth.tar", _use_new_zipfile_serialization=False)
    made = convert_weights(tmp_path / "best.pth.tar", target, "mobilefacenet68")
    expected = {"width": 0.125, "colours": "bgr", "levels": "unit", "crop": "box"}
    assert (made.network.use, made.network.parameters, made.image_size) == ("mobilefacenet", expected, SIZE)
    net, images = load(made, target), pictures()
    left, top, side = BOX
    grid = (torch.arange(SIZE) + 0.5) / SIZE  # the centres of the crop's pixels, as fractions of its side
    across, down = torch.meshgrid((left + side * grid) * 2 - 1, (top + side * grid) * 2 - 1, indexing="xy")
    places = torch.stack([across, down], -1).expand(len(images), -1, -1, -1)
    crops = F.grid_sample(images, places, padding_mode="border", align_corners=False)
    in_crop = public((crops.flip(1) + 1) / 2)
    in_frame = (in_crop * side + torch.tensor([left, top])) * SIZE
    assert torch.allclose(net(images).points, in_frame, atol=1e-3)


def test_the_box_is_square_about_the_average_face() -> None:
    left, top, side = BOX
    face = torch.tensor(MEAN_FACE)
    inside = (face - torch.tensor([left, top])) / side
    assert inside.min() > 0.05
    assert inside.max() < 0.95
    extent = inside.amax(0) - inside.amin(0)
    assert extent.min().item() == pytest.approx(1 / 1.2, abs=1e-6)
    assert torch.allclose((inside.amax(0) + inside.amin(0)) / 2, torch.tensor([0.5, 0.5]), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__body__3__res_layer__1__weight": None}, r"missing: body\.3\.res_layer\.1\.weight"),
        (
            {"model__body__0__res_layer__se__fc1__weight": torch.ones(2)},
            r"unexpected: body\.0\.res_layer\.se\.fc1\.weight",
        ),
        ({"head__margin": torch.ones(2)}, r"unexpected: head\.margin"),
        (
            {"model__input_layer__1__bias": torch.ones(3)},
            r"of another shape: input_layer\.1\.bias \[3\], expected \[4\]",
        ),
        (
            {"model__input_layer__0__weight": None},
            r"not weights in the layout adaface .*: no key input_layer\.0\.weight",
        ),
        (
            {"model__body__8__res_layer__0__bias": torch.ones(2)},
            r"9 residual units in body, expected one of 8, 16, 24, 49",
        ),
    ],
    ids=["missing", "squeeze", "head", "shape", "stem", "depth"],
)
def test_what_is_not_the_layout_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    source = lightning(face_network(), tmp_path / "a.ckpt", **changes)
    with pytest.raises(PalsykitError, match=message):
        convert_weights(source, tmp_path / "a.safetensors", "adaface")
    assert not (tmp_path / "a.safetensors").exists()


def test_another_networks_layout_is_refused(tmp_path: Path) -> None:
    source = lightning(face_network(), tmp_path / "a.ckpt")
    with pytest.raises(PalsykitError, match=r"no key conv1\.conv\.weight; its first keys are model\.input_layer"):
        convert_weights(source, tmp_path / "a.safetensors", "mobilefacenet68")
    with pytest.raises(PalsykitError, match=r"--layout iresnet: unknown; expected one of adaface, arcface, inc"):
        convert_weights(source, tmp_path / "a.safetensors", "iresnet")


def test_the_card_and_the_header_say_where_weights_come_from(tmp_path: Path) -> None:
    source, target = lightning(face_network(), tmp_path / "a.ckpt"), tmp_path / "adaface.safetensors"
    made = convert_weights(source, target, "adaface")
    card = made.card.read_text()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert f"source: a.ckpt, SHA-256 {digest}" in card
    assert f"SHA-256 {hashlib.sha256(target.read_bytes()).hexdigest()}" in card
    assert "licence: the code is MIT" in card
    assert "BGR" in card
    assert str(tmp_path) not in card
    block = yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])
    assert block["networks"]["NAME"]["weights"] == "adaface.safetensors"
    with safe_open(target, "pt") as file:
        assert file.metadata()["source_sha256"] == digest


@pytest.fixture
def palsykit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["palsykit", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_command_prints_the_lines_that_a_recipe_needs(tmp_path: Path, palsykit: Any) -> None:
    source, target = lightning(face_network(), tmp_path / "a.ckpt"), tmp_path / "adaface.safetensors"
    code, out, _ = palsykit("convert", "weights", source, target, "--layout", "adaface")
    assert code == 0
    assert "Left out: head.kernel, head.t, head.batch_mean, head.batch_std." in out
    assert "Licence: the code is MIT" in out
    block = yaml.safe_load(out[out.index("networks:") :])
    keys = block["networks"]["NAME"]
    size = keys.pop("image_size")
    net = build_part("networks", PartBlock(use=keys.pop("use"), parameters=keys), size)
    assert torch.equal(net.output_layer[3].weight, face_network().output_layer[3].weight)
    code, _, err = palsykit("convert", "weights", source, target, "--layout", "adaface")
    assert code == 2
    assert "already exists; choose another name, or overwrite it with --force" in err
    assert palsykit("convert", "weights", source, target, "--layout", "adaface", "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing.ckpt", "a.safetensors"), "nothing.ckpt: no such file; expected a checkpoint"),
        (("a.ckpt", "a.bin"), "a.bin: suffix .bin, expected .safetensors"),
    ],
)
def test_what_the_command_refuses(palsykit: Any, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = palsykit("convert", "weights", *arguments, "--layout", "adaface")
    assert code == 2
    assert message in err


def test_ir_50_and_101_in_full_are_recognised() -> None:
    for depth, public_name in ((50, 50), (101, 101)):
        with torch.device("meta"):
            state = InsightResNet(112, depth=depth).state_dict()  # type: ignore[arg-type]
        size, keys = layouts()["adaface"][1].settings(state)
        assert size == 112
        assert json.dumps(keys) == json.dumps(
            {"depth": public_name, "width": 1.0, "embedding": 512, "colours": "bgr", "crop": "arcface"}
        )


def test_an_unknown_layout_is_answered_with_every_one(
    palsykit: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, _ = palsykit("convert", "weights", "--help")
    assert code == 0
    assert "an unknown name lists those that the networks offer" in " ".join(out.split())
    code, _, err = palsykit("convert", "weights", "a.ckpt", tmp_path / "a.safetensors", "--layout", "list")
    assert code == 2
    assert f"--layout list: unknown; expected one of {', '.join(layouts())}" in " ".join(err.split())
