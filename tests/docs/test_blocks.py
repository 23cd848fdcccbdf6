"""Every block of every page is parsed; the blocks of the pages for users are run, except what takes minutes."""

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from palsykit.cli.app import app
from palsykit.recipe import load_recipe
from palsykit.run.folder import RunFolder

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
)
FOR_USERS = [ROOT / "docs" / f"{name}.md" for name in ("index", "guide", "photographs", "recipes")]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
MINUTES = {"run", "evaluate", "verify", "trust", "benchmark", "audit", "usefulness", "synthesize", "convert"}
"""Commands that train, make or read hundreds of pictures, or need files that are not ours; their own tests run them."""


def blocks(page: Path, language: str) -> list[str]:
    """The texts of the fenced blocks in ``language``."""
    return [text for found, text in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def commands(page: Path) -> list[list[str]]:
    """The words of each line of the page's shell blocks, without comments."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line.split(" && ")[0], comments=True))]


def understand(words: list[str]) -> None:
    """Parse a command of palsykit, with every option, as the command line does; nothing runs."""
    group: Any = typer.main.get_command(app)
    context = group.make_context(
        "palsykit", [*words], resilient_parsing=words == ["--help"] or words[0].startswith("--")
    )
    while hasattr(group, "resolve_command") and words and not words[0].startswith("--"):
        name, group, words = group.resolve_command(context, words)
        context = group.make_context(name, [*words], parent=context)


def refused(words: list[str]) -> str | None:
    """Why a line cannot be what a page should show; None if it is all right."""
    program, *rest = words
    if Path(program).name == "palsykit":
        try:
            understand(rest)
        except Exception as error:
            return f"{type(error).__name__}: {getattr(error, 'message', error)}"
        return None
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = {
        "make": lambda: all(re.search(rf"^{goal}:", makefile, re.M) for goal in rest if "=" not in goal),
        "pip": lambda: set(re.findall(r"palsykit\[(\w+)\]", " ".join(rest))) <= extras(),
        "python": lambda: rest[0] == "-m" or (ROOT / rest[0]).is_file(),
        "source": lambda: rest == [".venv/bin/activate"],
        "git": lambda: rest[0] == "clone",
        "hf": lambda: rest == ["auth", "login"],
    }
    return None if program in known and known[program]() else "not a command that this test knows"


def extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_can_be_parsed(page: Path) -> None:
    if page.name != "plugins.md":  # it has its own test, which runs every line
        assert {" ".join(words): why for words in commands(page) if (why := refused(words))} == {}
    for text in blocks(page, "python"):
        compile(text, str(page), "exec")
    for text in blocks(page, "yaml"):
        yaml.safe_load(text)
    for text in blocks(page, "json"):
        json.loads(text)
    for text in blocks(page, "toml"):
        tomllib.loads(text)


@pytest.mark.parametrize(
    ("line", "why"),
    [("palsykit generate --identiti who.png", "such option"), ("palsykit genrate", "genrate"), ("make tset", "knows"),
     ("pip install 'palsykit[nothing]'", "knows"), ("curl example", "knows")],
)  # fmt: skip
def test_a_wrong_line_is_found(line: str, why: str) -> None:
    assert why in str(refused(shlex.split(line)))


@pytest.mark.parametrize("block", blocks(ROOT / "docs" / "recipes.md", "yaml"))
def test_the_recipes_of_the_page_are_valid(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = block.replace("extends: ", f"extends: {ROOT}/")
    if "extends" not in text:
        text = f"extends: {ROOT / 'tests' / 'run' / 'tiny.yaml'}\n{text}"
    for name in re.findall(r"[\w-]+\.safetensors", text):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(text, encoding="utf-8")
    load_recipe(Path("recipe.yaml"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, one_cache: None) -> Path:
    """A folder with the files that pages name, all of a person who does not exist."""
    import palsykit

    desk = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "recipes", desk / "recipes")
    portrait = ROOT / "docs" / "portrait.jpg"
    model = palsykit.load("cfcpalsy-64")
    smile = model.generate(identity=portrait, expression="smile_full", side="left", severity=4)
    for name in (
        "docs/portrait.jpg",
        "portrait.jpg",
        "who.png",
        "portraits/a.jpg",
        "rest.jpg",
        "photographs/anna/rest.jpg",
    ):
        (desk / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait, desk / name)
    for name in ("expression.png", "smile_full.jpg", "photographs/anna/smile_full.jpg"):
        smile.save(desk / name)
    return desk


@pytest.mark.slow
def test_the_blocks_on_sharing_run(
    desk: Path, finished: RunFolder, palsykit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the miniature's run; only sending to a hub and what the extra ``datasets`` reads are left out."""
    page = ROOT / "docs" / "sharing.md"
    shutil.copytree(finished.path, tmp_path / "runs" / "cfcpalsy")
    shutil.copy(desk / "who.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("diffusers.utils.dynamic_modules_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    lines = [words for program, *words in commands(page) if program == "palsykit" and "--push-to-hub" not in words]
    for words in lines:
        done = palsykit(*words)
        assert done.code == 0, f"{' '.join(words)}\n{done.out}{done.err}"
    names: dict[str, Any] = {}
    ran = [text for text in blocks(page, "python") if "load_dataset" not in text]
    for text in ran:
        exec(compile(text, str(page), "exec"), names)
    assert (len(lines), len(ran), type(names["pipeline"]).__name__) == (3, 3, "Pipeline")


@pytest.mark.slow
@pytest.mark.parametrize("page", FOR_USERS, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(
    page: Path, desk: Path, palsykit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    ran = 0
    for program, *words in commands(page):
        if program != "palsykit" or words[0] in MINUTES:
            continue
        # pages speak of a run that takes minutes; the model that ships has the same parts
        words = ["cfcpalsy" if word == "runs/cfcpalsy" else word for word in words]
        done = palsykit(*words)
        assert done.code == 0, f"{' '.join(words)}\n{done.out}{done.err}"
        ran += 1
    assert ran >= 2
    if page.stem == "index":
        for text in blocks(page, "python"):
            exec(compile(text, str(page), "exec"), {})
        assert {path.name for path in desk.iterdir()} >= {"after.png", "row.png", "lengths"}
