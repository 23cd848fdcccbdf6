"""Only palsykit.faces.flip flips photographs: any other flip would move a palsy to the other side unnoticed.

The test searches the source for flips by name and slices with a negative step. It cannot find a negative scale.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]

ALLOWED = {
    ("palsykit/faces/flip.py", "self.picture[:, ::-1]"): "the one place, with landmarks and labels",
    ("palsykit/faces/flip.py", "flip_points(landmarks, width)"): "the one place",
    ("palsykit/faces/flip.py", "flip_points(further, width, FURTHER_FLIP)"): "the one place",
    ("tools/build_face_space.py", "row[..., ::-1]"): "healthy faces, with their own template's table",
    ("tools/smiles.py", "slope[:, ::-1]"): "a mean of healthy faces that is made symmetric",
    ("tools/smiles.py", "a[:, :, ::-1]"): "teeth of healthy faces, mirrored to make their mean symmetric",
    ("plugins/palsykit_identity/ir.py", "image.flip(1)"): "channels, RGB to BGR",
    ("plugins/palsykit_landmark/mobilefacenet.py", "image.flip(1)"): "channels, RGB to BGR",
    ("plugins/palsykit_insightface/detector.py", "photograph[..., ::-1]"): "channels of [H, W, 3], RGB to BGR",
    ("plugins/palsykit_faces/mesh.py", "pixels[1, :, ::-1]"): "the iris model knows right eyes only; points go back",
    ("plugins/palsykit_datasets/registration.py", "patch[::-1, ::-1]"): "correlation as a convolution",
}
"""(file, expression) -> why it moves no palsy to the other side."""

FLIPS = {"flip", "fliplr", "hflip", "horizontal_flip", "mirror", "flip_points", "FLIP_LEFT_RIGHT"}
FLIPS |= {"RandomHorizontalFlip", "HorizontalFlip"}


def flips(tree: ast.AST) -> list[str]:
    """Every expression that may flip a picture or its points."""
    return [ast.unparse(node) for node in ast.walk(tree) if _flips(node)]


def _flips(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in FLIPS
    if isinstance(node, ast.Subscript):
        return any(map(_backwards, ast.walk(node.slice)))
    return isinstance(node, ast.Attribute) and node.attr == "FLIP_LEFT_RIGHT"


def _backwards(node: ast.AST) -> bool:
    return isinstance(node, ast.Slice) and node.step is not None and ast.unparse(node.step).startswith("-")


def every_flip() -> set[tuple[str, str]]:
    files = [path for folder in ("palsykit", "plugins", "tools") for path in (ROOT / folder).rglob("*.py")]
    return {
        (path.relative_to(ROOT).as_posix(), flip)
        for path in files
        for flip in flips(ast.parse(path.read_text(encoding="utf-8")))
    }


def test_no_other_code_flips_photographs() -> None:
    assert sorted(every_flip() - set(ALLOWED)) == [], "flip with palsykit.faces.flip.Face.mirrored, or give the reason"


def test_allowed_places_exist() -> None:
    assert sorted(set(ALLOWED) - every_flip()) == [], "a place that is gone is allowed no longer"


def test_the_search_finds_flips() -> None:
    seen = ["torch.flip(x, [-1])", "x.flip(-1)", "np.fliplr(x)", "ImageOps.mirror(x)", "x[..., ::-1]", "x[:, ::-1]"]
    seen += ["F.hflip(x)", "x.transpose(Image.Transpose.FLIP_LEFT_RIGHT)", "RandomHorizontalFlip(0.5)", "x[::-1]"]
    assert all(flips(ast.parse(line)) for line in seen)
    assert not any(flips(ast.parse(line)) for line in ("x[1:]", "x[::2]", "ImageOps.exif_transpose(x)", "x[-1]"))
