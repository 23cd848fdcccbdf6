"""The house rules that a machine can check, over every file that git tracks (or every file, outside a clone)."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE_LINES, FUNCTION_LINES = 350, 60
IGNORED = {".venv", ".git", "runs", "dist", "build", "__pycache__"}

MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:home|Users|root|work|mnt|workspace|scratch|opt)/[\w.-]+")
OTHER_INDEX = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|PIP_(?:EXTRA_)?INDEX_URL|"
    r"\b(?:pypi\.org|files\.pythonhosted\.org|test\.pypi\.org|download\.pytorch\.org)\b"
)


def tracked() -> list[Path]:
    """Every file that belongs to the project, new ones included, ignored ones not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    git = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if git.returncode == 0:
        return [ROOT / name for name in git.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not IGNORED & set(path.relative_to(ROOT).parts)]


def texts() -> Iterator[tuple[str, str]]:
    """(path, text) of every tracked text file."""
    for path in tracked():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def sources(*folders: str) -> list[tuple[str, str]]:
    """(path, text) of every Python file below these folders."""
    return [(name, text) for name, text in texts() if name.endswith(".py") and name.split("/")[0] in folders]


def long_files(files: list[tuple[str, str]]) -> list[str]:
    counted = ((name, len(text.splitlines())) for name, text in files)
    return [f"{name}: {lines} lines" for name, lines in counted if lines > FILE_LINES]


def long_functions(files: list[tuple[str, str]]) -> list[str]:
    found = []
    for name, text in files:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    found.append(f"{name}:{node.lineno}: {node.name}, {lines} lines")
    return found


def unsafe_loads(files: list[tuple[str, str]]) -> list[str]:
    """Calls that can run code from a file: pickle, torch.load without weights_only=True, yaml.load of all objects."""
    found = []
    for name, text in files:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and (fault := _unsafe(node)):
                found.append(f"{name}:{node.lineno}: {fault}")
    return found


def _unsafe(call: ast.Call) -> str | None:
    function = ast.unparse(call.func)
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if re.fullmatch(r"(?:c?[pP]ickle|dill|cloudpickle|joblib)\.(?:loads?|Unpickler)", function):
        return function
    if function == "torch.load" and keywords.get("weights_only") != "True":
        return "torch.load without weights_only=True"
    if function in ("np.load", "numpy.load") and keywords.get("allow_pickle", "False") != "False":
        return f"{function} with allow_pickle"
    if function in ("yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all", "yaml.full_load_all"):
        return function
    if function in ("yaml.load", "yaml.load_all"):
        loader = ast.unparse(call.args[1]) if len(call.args) > 1 else keywords.get("Loader", "")
        # our own loaders derive from SafeLoader, and are named so
        return None if "Safe" in loader else f"{function} with {loader or 'no loader'}"
    return None


def test_files_are_short() -> None:
    assert long_files(sources("palsykit", "plugins", "tools")) == []


def test_functions_are_short() -> None:
    assert long_functions(sources("palsykit", "plugins", "tools")) == []


def test_nothing_loads_code_from_files() -> None:
    assert unsafe_loads(sources("palsykit", "plugins", "tools", "benchmarks", "tests")) == []


def test_the_checks_see_what_they_look_for() -> None:
    body = "\n".join("    pass" for _ in range(FUNCTION_LINES))
    assert long_functions([("a.py", f"def f():\n{body}\n")]) == ["a.py:1: f, 61 lines"]
    assert long_files([("a.py", "x = 1\n" * 351)]) == ["a.py: 351 lines"]
    bad = [
        "pickle.load(f)",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "yaml.load(f)",
        "yaml.load(f, Loader)",
    ]
    good = ["torch.load(f, weights_only=True)", "yaml.load(f, Loader=SafeLoader)", "yaml.load(f, LineSafeLoader)"]
    assert all(unsafe_loads([("a.py", line)]) for line in bad)
    assert not any(unsafe_loads([("a.py", line)]) for line in good)
    assert MACHINE_PATHS.search("see " + "/home/" + "someone/data")
    assert not MACHINE_PATHS.search("../home/x and https://example.org/opt/x")


def test_no_file_is_called_utils() -> None:
    names = {"utils.py", "helpers.py", "misc.py", "common.py"}
    assert [name for name, _ in sources("palsykit", "plugins", "tools") if name.rsplit("/", 1)[-1] in names] == []


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, OTHER_INDEX], ids=["machine paths", "package indexes"])
def test_no_tracked_file_names_a_machine_or_a_package_index(pattern: re.Pattern[str]) -> None:
    here = Path(__file__).relative_to(ROOT).as_posix()
    found = [
        f"{name}:{number}: {match.group()}"
        for name, text in texts()
        if name != here
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert found == []


def test_licence_and_notice_are_there() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n\nCopyright (c) 2026 palsykit contributors\n")
    assert (ROOT / "NOTICE").read_text().strip() != ""


def test_every_plugin_is_in_the_wheel_and_every_entry_point_is_a_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    there = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "plugins").glob("*/__init__.py")}
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted({"palsykit", *there})
    registered = {f"plugins/{module}" for module in project["project"]["entry-points"]["palsykit"].values()}
    assert registered <= there
    hooks = {name.rsplit("/", 1)[0] for name, text in sources("plugins") if "@hookimpl" in text}
    assert hooks <= registered


def test_every_requirement_is_pinned_in_the_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    required = {
        _plain(re.split(r"[\[<>=!~; ]", line)[0])
        for group in (project["dependencies"], *extras.values())
        for line in group
    } - {"palsykit"}
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []
    assert required - {_plain(line.split("==")[0]) for line in lines} == set()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
