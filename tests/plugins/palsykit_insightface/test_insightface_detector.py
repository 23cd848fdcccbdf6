"""The detector on models of SCRFD's and 1k3d68's real formats, made here: a red square is a face."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palsykit.errors import PalsykitError
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.testing import check
from palsykit_insightface import pack as packs

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'palsykit[insightface]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'palsykit[insightface]'")
pytest.importorskip("insightface", reason="insightface is not installed: pip install 'palsykit[insightface]'")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FIVE = np.array([[-1.5, -1], [1.5, -1], [0, 0.25], [-1, 1.5], [1, 1.5]], np.float32)
"""From the corner of a red cell, in strides: eyes, nose, mouth corners in the image's order."""

BOX = np.array([2.0, 2.0, 2.5, 3.0], np.float32)
"""Left, top, right and bottom of the box, likewise."""

CELL = 8


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)


def stride_nodes(stride: int, bias: float) -> tuple[list[Any], list[Any], list[str]]:
    """Nodes, constants and output names of one stride: a red cell scores near 1, twice (SCRFD has two anchors)."""
    s = str(stride)
    nodes = [
        helper.make_node("AveragePool", ["image"], [f"mean{s}"], kernel_shape=[stride] * 2, strides=[stride] * 2),
        helper.make_node("Mul", [f"mean{s}", f"redness{s}"], [f"weighted{s}"]),
        helper.make_node("ReduceSum", [f"weighted{s}", "channel"], [f"red{s}"], keepdims=1),
        helper.make_node("Add", [f"red{s}", f"bias{s}"], [f"logit{s}"]),
        helper.make_node("Sigmoid", [f"logit{s}"], [f"sure{s}"]),
        helper.make_node("Concat", [f"sure{s}", f"sure{s}"], [f"anchors{s}"], axis=1),
        helper.make_node("Transpose", [f"anchors{s}"], [f"last{s}"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [f"last{s}", "column"], [f"score_{s}"]),
        helper.make_node("Mul", [f"score_{s}", "nothing"], [f"zero{s}"]),
        helper.make_node("Add", [f"zero{s}", "box"], [f"bbox_{s}"]),
        helper.make_node("Add", [f"zero{s}", "five"], [f"kps_{s}"]),
    ]
    constants = [
        constant(f"redness{s}", np.array([20, -10, -10], np.float32).reshape(1, 3, 1, 1)),
        constant(f"bias{s}", np.float32(bias)),
    ]
    return nodes, constants, [f"score_{s}", f"bbox_{s}", f"kps_{s}"]


def scrfd(path: Path, with_points: bool = True) -> Path:
    """A detector whose outputs are those of det_10g.onnx: scores, boxes and points at strides 8, 16 and 32."""
    parts = {stride: stride_nodes(stride, bias) for stride, bias in ((8, -25.0), (16, -100.0), (32, -100.0))}
    names = [parts[stride][2][kind] for kind in range(3 if with_points else 2) for stride in parts]
    widths = {"score": 1, "bbox": 4, "kps": 10}
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, widths[n.split("_")[0]]]) for n in names]
    shared = [
        constant("channel", np.array([1], np.int64)),
        constant("column", np.array([-1, 1], np.int64)),
        constant("nothing", np.float32(0)),
        constant("box", BOX.reshape(1, 4)),
        constant("five", FIVE.reshape(1, 10)),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])
    nodes = [node for stride in parts for node in parts[stride][0]]
    return save(path, nodes, [image], outputs, shared + [c for stride in parts for c in parts[stride][1]])


def landmarks_1k3d68(path: Path, points: np.ndarray) -> Path:
    """A model whose output is that of 1k3d68.onnx: 1,103 points in 3D, the last 68 of them ``points`` [68, 3]."""
    values = np.concatenate([np.zeros((1035, 3)), points]).astype(np.float32).reshape(1, -1)
    image = helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 192, 192])
    output = helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 3309])
    nodes = [
        helper.make_node("ReduceMean", ["data"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "points"], ["fc1"]),
    ]
    return save(path, nodes, [image], [output], [constant("nothing", np.float32(0)), constant("points", values)])


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> Path:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def photograph(cells: list[tuple[int, int]], size: tuple[int, int] = (128, 128), scale: int = 1) -> np.ndarray:
    """Grey [H, W, 3] RGB with red cells at (column, row)."""
    pixels = np.full((size[1] // CELL, size[0] // CELL, 3), 128, np.uint8)
    for column, row in cells:
        pixels[row, column] = (255, 0, 0)
    return pixels.repeat(CELL * scale, 0).repeat(CELL * scale, 1)


def detector(pack: Path, **keys: Any) -> Any:
    """As a recipe builds it."""
    return build_part("detectors", PartBlock(use="insightface", parameters={"pack": str(pack), **keys}))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny_l"
    scrfd(folder / "det_tiny.onnx")
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (68, 3))
    landmarks_1k3d68(folder / "1k3d68.onnx", points)
    (folder / "notes.txt").write_text("no model")
    return folder


def test_a_face_is_found_where_it_is(pack: Path) -> None:
    found = detector(pack, sizes=[128]).detect(photograph([(8, 6)]))
    assert len(found) == 1, "two anchors at one place are one face"
    np.testing.assert_allclose(found[0].five, [(64, 48)] + FIVE * CELL, atol=1e-4)
    assert found[0].score > 0.9
    assert found[0].landmarks is None


def test_coordinates_are_those_of_the_photograph_and_not_of_the_square(pack: Path) -> None:
    large = photograph([(8, 6)], (128, 96), scale=2)
    assert large.shape == (192, 256, 3)
    found = detector(pack, sizes=[128]).detect(large)
    np.testing.assert_allclose(found[0].five, 2 * ([(64, 48)] + FIVE * CELL), atol=1e-3)


def test_two_faces_the_surest_first_and_none(pack: Path) -> None:
    picture = photograph([(3, 3), (12, 10)])
    picture[24:32, 24:32] = (245, 10, 10)
    tiny = detector(pack, sizes=[128])
    found = tiny.detect(picture)
    assert [tuple(np.round(face.five[0] - FIVE[0] * CELL)) for face in found] == [(96, 80), (24, 24)]
    assert found[0].score > found[1].score
    assert tiny.detect(photograph([])) == []


def test_colours_reach_the_model_as_rgb(pack: Path) -> None:
    assert detector(pack, sizes=[128]).detect(photograph([(8, 6)])[..., ::-1]) == []


def test_a_photograph_too_slim_to_be_scaled_has_no_face(pack: Path) -> None:
    assert detector(pack, sizes=[128]).detect(np.zeros((1, 3000, 3), np.uint8)) == []


def test_the_packs_landmarks(pack: Path) -> None:
    face = detector(pack, sizes=[128], landmarks=True).detect(photograph([(8, 6)]))[0]
    assert face.landmarks is not None
    # insightface looks at a square 1.5 times the box about its centre, and the model's -1 to 1 spans it
    x0, y0, x1, y1 = 64 - 2 * CELL, 48 - 2 * CELL, 64 + 2.5 * CELL, 48 + 3 * CELL
    half = 1.5 * max(x1 - x0, y1 - y0) / 2
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (68, 3))[:, :2]
    expected = points * half + [(x0 + x1) / 2, (y0 + y1) / 2]
    np.testing.assert_allclose(face.landmarks, expected, atol=1e-2)


def test_the_version_names_models_and_settings(pack: Path, tmp_path: Path) -> None:
    same = detector(pack / "det_tiny.onnx", sizes=[128])
    versions = {
        detector(pack, sizes=[128]).version,
        detector(pack, sizes=[160]).version,
        detector(pack, sizes=[128], threshold=0.4).version,
        detector(pack, sizes=[128], landmarks=True).version,
    }
    assert len(versions) == 4
    assert same.version in versions, "a pack and its detector's file are one"


def test_the_licence_is_shown_once(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packs._say_licence.cache_clear()
    detector(pack, sizes=[128])
    assert "non-commercial research only" in capsys.readouterr().err
    detector(pack, sizes=[128])
    assert capsys.readouterr().err == ""


def test_a_pack_in_a_folder_of_its_own_name(tmp_path: Path) -> None:
    scrfd(tmp_path / "antelope" / "antelope" / "det.onnx")
    assert packs.find(tmp_path / "antelope", False).detector.name == "det.onnx"


def test_a_missing_or_another_file_says_what_was_found_and_where_packs_are(tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match=r"no \.onnx file, the folder is empty; .*deepinsight.*non-commercial"):
        detector(tmp_path)
    (tmp_path / "buffalo_l.zip").write_bytes(b"PK")
    with pytest.raises(PalsykitError, match=r"no \.onnx file among buffalo_l\.zip; expected a pack .*unpacked"):
        detector(tmp_path)
    scrfd(tmp_path / "boxes.onnx", with_points=False)
    (tmp_path / "cut.onnx").write_bytes(b"\x08\x07junk")
    with pytest.raises(PalsykitError, match=r"boxes\.onnx \(detector of boxes alone\), cut\.onnx \(not an ONNX model"):
        detector(tmp_path)


def test_landmarks_without_their_model(tmp_path: Path) -> None:
    scrfd(tmp_path / "det.onnx")
    with pytest.raises(PalsykitError, match=r"no model for 68 landmarks, but det\.onnx"):
        detector(tmp_path, landmarks=True)
    with pytest.raises(PalsykitError, match="no model for 68 landmarks"):
        detector(tmp_path / "det.onnx", landmarks=True)


def test_two_detectors_are_one_too_many(tmp_path: Path) -> None:
    scrfd(tmp_path / "a.onnx")
    scrfd(tmp_path / "b.onnx")
    with pytest.raises(PalsykitError, match=r"found 2 models .* \(a\.onnx and b\.onnx\), expected one; name the file"):
        detector(tmp_path)
    assert detector(tmp_path / "b.onnx", sizes=[128]).detect(photograph([(8, 6)]))


def test_a_model_of_nine_other_outputs(tmp_path: Path) -> None:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])
    nodes = [helper.make_node("Identity", ["image"], [f"o{i}"]) for i in range(9)]
    outputs = [helper.make_tensor_value_info(f"o{i}", TensorProto.FLOAT, [1, 3, "height", "width"]) for i in range(9)]
    save(tmp_path / "other.onnx", nodes, [image], outputs, [])
    with pytest.raises(PalsykitError, match="do not run as insightface's do"):
        detector(tmp_path)


def test_a_missing_extra_names_the_installation(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)
    with pytest.raises(PalsykitError, match=r"pip install 'palsykit\[insightface\]'"):
        detector(pack)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(PalsykitError, match=r"pip install 'palsykit\[insightface\]'"):
        detector(pack)


def test_it_keeps_the_contract_of_detectors(pack: Path) -> None:
    results = check("detector", "insightface", pack=str(pack), sizes=[128])
    assert [str(result) for result in results if result.state != "passed"] == []
