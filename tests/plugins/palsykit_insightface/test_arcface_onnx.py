"""ArcFace of a pack, on graphs of the published models' inputs and outputs, made here: channel means, then a matrix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from palsykit.diffusion.model import Condition, ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.faces.alignment import ARCFACE_CROP
from palsykit.interfaces import FaceBatch, Images
from palsykit.networks import SharedNetwork
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.registry import registry
from palsykit.testing import examine, stand_ins
from palsykit_insightface import pack as packs

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'palsykit[insightface]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'palsykit[insightface]'")
insightface = pytest.importorskip("insightface", reason="not installed: pip install 'palsykit[insightface]'")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WIDTH = 64
MATRIX = np.random.default_rng(0).standard_normal((3 * 16, WIDTH)).astype(np.float32)


def arcface(path: Path, side: int = 112, batch: int | None = None, mxnet: bool = False) -> Path:
    """A recognition model: [N, 3, side, side] -> [N, 64], linear in the means of 4 x 4 fields.

    Exported from MXNet it subtracts and divides itself, and lists its weights among its inputs.
    """
    nodes, source = [], "input.1"
    constants = [("matrix", MATRIX), ("rows", np.array([0, -1], np.int64))]
    if mxnet:
        constants += [("mean", np.float32(127.5)), ("scale", np.float32(1 / 127.5))]
        nodes.append(helper.make_node("Sub", ["input.1", "mean"], ["centred"], name="_minusscalar0"))
        nodes.append(helper.make_node("Mul", ["centred", "scale"], ["scaled"], name="_mulscalar0"))
        source = "scaled"
    field = side // 4
    nodes += [
        helper.make_node("AveragePool", [source], ["fields"], kernel_shape=[field] * 2, strides=[field] * 2),
        helper.make_node("Reshape", ["fields", "rows"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["683"]),
    ]
    inputs = [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [batch, 3, side, side])]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants]
    if mxnet:
        inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in held]
    output = helper.make_tensor_value_info("683", TensorProto.FLOAT, [batch, WIDTH])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def network(weights: Path, size: int = 64) -> Any:
    """As a recipe builds it."""
    return build_part("networks", PartBlock(use="arcface_onnx", parameters={"weights": str(weights)}), size)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny_l"
    arcface(folder / "w600k_tiny.onnx")
    return folder


@pytest.mark.parametrize("mxnet", [False, True])
def test_the_embedding_is_insightfaces_of_the_arcface_crop(tmp_path: Path, mxnet: bool) -> None:
    file = arcface(tmp_path / "rec.onnx", mxnet=mxnet)
    size = 140  # its ArcFace crop has 112 px
    image = stand_ins.faces(2, size, "a").image
    found = network(file, size)(image)
    left, top, side = (round(fraction * size) for fraction in ARCFACE_CROP)
    assert side == 112
    # the crop's upper edge lies between two rows of pixels: 2.8
    whole = image.numpy()[:, :, :, left : left + side]
    rows = (1 - 0.8) * whole[:, :, 2 : 2 + side] + 0.8 * whole[:, :, 3 : 3 + side]
    bgr = [np.round((picture.transpose(1, 2, 0)[..., ::-1] + 1) * 127.5).astype(np.uint8) for picture in rows]
    theirs = insightface.model_zoo.get_model(str(file), providers=["CPUExecutionProvider"]).get_feat(bgr)
    np.testing.assert_allclose(found.embedding, theirs, atol=0.05)
    assert top == 3
    torch.testing.assert_close(found.map[:, :, 0, 0], found.embedding)


def test_what_it_says_of_itself(pack: Path) -> None:
    built = network(pack)
    assert (built.map_shape, built.embedding_width) == ((WIDTH, 1, 1), WIDTH)
    assert list(built.state_dict()) == ["digest"], "runs with other weights have another state"
    other = network(arcface(pack.parent / "other" / "r.onnx", side=128))
    assert not torch.equal(other.digest, built.digest)


def test_a_graph_for_a_fixed_number_of_pictures(tmp_path: Path, pack: Path) -> None:
    image = stand_ins.faces(5, 64, "a").image
    expected = network(pack)(image).embedding
    for batch in (1, 2):
        fixed = network(arcface(tmp_path / f"{batch}.onnx", batch=batch))
        torch.testing.assert_close(fixed(image).embedding, expected)


def test_it_refuses_a_gradient_and_says_what_gives_one(pack: Path) -> None:
    built = network(pack)
    image = stand_ins.faces(2, 64, "a").image.requires_grad_()
    with pytest.raises(PalsykitError, match=r"onnxruntime gives no gradient, .*name one such as ir"):
        built(image)
    with torch.no_grad():
        assert built(image).embedding.shape == (2, WIDTH)
    assert built(image.detach()).embedding.shape == (2, WIDTH)


def test_the_rest_of_the_contract_of_networks(pack: Path) -> None:
    results = examine(registry().get("networks", "arcface_onnx"), {"weights": str(pack)})
    assert [str(result) for result in results if result.state == "failed"] == []
    assert any("gives no gradient" in str(result) for result in results if result.state == "not checked")


def test_it_conditions_and_judges(pack: Path) -> None:
    shared = SharedNetwork("arcface", network(pack, 32))
    shared.freeze()
    block = PartBlock(
        use="features", parameters={"network": "arcface", "tokens": "embedding", "pooled": 24, "width": 8}
    )
    encoder = build_part("encoders", block, 32, networks={"arcface": shared})
    rest = torch.nn.Identity()
    model = ConditionalDiffusion({"who": Condition(encoder, "identity", 0.0)}, rest, rest, stand_ins.DDPMScheduler())
    batch = stand_ins.face_batch(4, 32)
    encoded = model.encode(batch).conditions["who"]
    assert (encoded.tokens.shape, encoded.pooled.shape) == ((4, 4, 8), (4, 24))
    metric = build_part(
        "metrics", PartBlock(use="identity", parameters={"network": "arcface"}), networks={"arcface": shared}
    )
    same = FaceBatch(batch.identity, batch.driver, batch.identity)
    figures = metric.read(same, Images(batch.identity.image))
    assert any(torch.allclose(value, torch.ones(4)) for value in figures.values()), figures


def test_a_pack_without_recognition_says_what_was_found(tmp_path: Path) -> None:
    arcface(tmp_path / "2d106.onnx", side=192)
    with pytest.raises(PalsykitError, match=r"no model for recognition, but 2d106\.onnx \(another model: inputs"):
        network(tmp_path)
    arcface(tmp_path / "a.onnx")
    arcface(tmp_path / "b.onnx")
    with pytest.raises(PalsykitError, match=r"found 2 models for recognition \(a\.onnx and b\.onnx\), .*name the file"):
        network(tmp_path)
    assert network(tmp_path / "b.onnx").embedding_width == WIDTH


def test_the_licence_is_shown(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packs._say_licence.cache_clear()
    network(pack)
    assert "non-commercial research only" in capsys.readouterr().err
