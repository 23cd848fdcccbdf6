"""Reading: values with their places, and every way in which a file can be none."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from palsykit.recipe import load_recipe
from palsykit.recipe.problems import RecipeError
from palsykit.recipe.read import NODE_LIMIT, read_file, read_text


def problems(text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read_text(text, "r.yaml", Path())
    return [str(problem) for problem in caught.value.problems]


def test_every_key_and_value_has_its_place() -> None:
    tree = read_text("a: 1\nb:\n  c: {d: [x, y]}\n", "r.yaml", Path("folder"))
    assert tree.value == {"a": 1, "b": {"c": {"d": ["x", "y"]}}}
    assert tree.spot(("a",)).key == "r.yaml:1:1"
    assert tree.spot(("a",)).value == "r.yaml:1:4"
    assert tree.spot(("b", "c", "d")).key == "r.yaml:3:7"
    assert tree.spot(("b", "c", "d", 1)).value == "r.yaml:3:14"
    assert tree.spot(("b", "nothing", "here")).value == "r.yaml:3:3", "the nearest block around"
    assert tree.spot(("a",)).folder == Path("folder")


def test_a_key_given_twice() -> None:
    assert problems("a: 1\nb: {c: 1,\n  c: 2}\na: 2\n") == [
        "r.yaml:3:3: b.c: found the key a second time, expected it once: r.yaml:2:5",
        "r.yaml:4:1: a: found the key a second time, expected it once: r.yaml:1:1",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "r.yaml:1:1: found nothing, expected a mapping of sections"),
        ("- a\n- b", "r.yaml:1:1: found a list, expected a mapping of sections"),
        ("just words", "r.yaml:1:1: found text, expected a mapping of sections"),
        ("1: a", "r.yaml:1:1: found the key '1', expected text as a key; put it in quotes"),
        ("[a]: b", "r.yaml:1:1: found a block as a key, expected text as a key; put it in quotes"),
        (
            "a: !!python/object:os.system x",
            "r.yaml:1:4: a: found unknown tag 'tag:yaml.org,2002:python/object:os.system'",
        ),
        ("a: !!int x", "r.yaml:1:4: a: found 'x' is not of type int, expected text, a number, true, false or null"),
        ("a: &x {b: *x}", "r.yaml:1:4: a.b: found an alias of the block that contains it, expected no cycle"),
    ],
)
def test_what_is_no_recipe(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\ta: 1", "a: *nothing", "a: 1\n---\nb: 2", "a: \x01"])
def test_what_is_no_yaml(text: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("r.yaml")
    assert problem.endswith("expected YAML")


def test_aliases_are_values_too() -> None:
    tree = read_text("a: &x {b: 1}\nc: *x\n", "r.yaml", Path())
    assert tree.value["c"] == {"b": 1}
    assert tree.value["c"] is not tree.value["a"]


def test_a_nest_of_aliases_is_refused_and_not_expanded() -> None:
    nest = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    (problem,) = problems(nest)
    assert f"more than {NODE_LIMIT} values" in problem


def test_blocks_without_end_are_refused() -> None:
    (problem,) = problems("a: " + "[" * 5000)
    assert "nested too deeply" in problem


def failure(path: Path) -> str:
    with pytest.raises(RecipeError) as caught:
        read_file(path)
    return str(caught.value)


def test_files_that_cannot_be_read(recipe: Callable[..., Path]) -> None:
    recipe("a: 1", "there.yaml")
    assert "nothing.yaml: found no such file, expected a recipe; recipes in .: there.yaml" in failure(
        Path("nothing.yaml")
    )
    assert "there is no folder no" in failure(Path("no/nothing.yaml"))
    Path("folder").mkdir()
    assert "folder: found a folder, expected a recipe file" in failure(Path("folder"))
    Path("latin.yaml").write_bytes("a: é".encode("latin-1"))
    assert "latin.yaml: found byte 3 that is not UTF-8, expected a text file in UTF-8" in failure(Path("latin.yaml"))


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zeros.yaml").symlink_to("/dev/zero")
    for name in ("pipe.yaml", "zeros.yaml"):
        with pytest.raises(RecipeError, match="found not a regular file, expected a recipe file"):
            read_file(tmp_path / name)


def test_a_file_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("# " + "x" * 18_000_000)
    with pytest.raises(RecipeError, match=r"found 18,000,002 bytes, expected a recipe, which has at most 131,072"):
        read_file(tmp_path / "r.yaml")


@pytest.mark.parametrize("text", ["[" * 10_000, "{a: " * 10_000, "".join(" " * n + "a:\n" for n in range(1300))])
def test_deep_nesting_is_one_line(text: str) -> None:
    (problem,) = problems(text)
    assert "nested too deeply" in problem or "expected YAML" in problem


def test_what_another_file_holds_is_not_shown(recipe: Callable[..., Path], tmp_path: Path) -> None:
    """A stranger's recipe may name any file of the user's in extends, and messages are pasted into issues."""
    (tmp_path / "secret.txt").write_text("root:x:0:0\nsecret\n")
    for text in ("secret: of the user", "secret", "- secret"):
        (tmp_path / "secret.txt").write_text(text)
        with pytest.raises(RecipeError) as refused:
            load_recipe(recipe("extends: secret.txt"))
        assert "of the user" not in str(refused.value)
        assert "found secret" not in str(refused.value)


def test_a_byte_order_mark_is_passed_over(recipe: Callable[..., Path]) -> None:
    path = recipe("")
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_file(path).value == {"a": 1}
