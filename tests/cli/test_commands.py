"""Commands of plugins: listed without being imported, imported when they run, and blamed where they are broken."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from palsykit.cli.app import app
from palsykit.registry import CORE_COMMANDS

HOOK = """
from palsykit import hookimpl

@hookimpl
def palsykit_register_commands(register):
    register("{name}", "{module}:{attribute}", help="Count faces.")
"""
FUNCTION = """
print("imported")

def count(what: str, times: int = 1) -> None:
    '''Count faces, as often as is wanted.'''
    print(what * times)
"""
GROUP = """
import typer

app = typer.Typer()

@app.command()
def one() -> None:
    print("one it is")

@app.command()
def two() -> None:
    print("two it is")
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., None]:
    """Puts a distribution with a hook and its command's module on the path, as pip would."""

    def put(
        plugin: str, name: str = "count", attribute: str = "count", source: str = FUNCTION, hook: str = HOOK
    ) -> None:
        module = f"{plugin}_command"
        (tmp_path / f"{plugin}.py").write_text(hook.format(name=name, module=module, attribute=attribute))
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{plugin}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {plugin}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[palsykit]\n{plugin} = {plugin}\n")

    return put


@pytest.fixture
def palsykit(tmp_path: Path) -> Run:
    """Runs a command line in a fresh interpreter, with what was installed."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(tmp_path), **environment}
        command = [sys.executable, "-m", "palsykit", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return run


def test_it_is_listed_without_being_imported_and_runs(install: Callable[..., None], palsykit: Run) -> None:
    install("acme")
    done = palsykit("--help")
    assert (done.returncode, "imported" in done.stdout) == (0, False)
    assert "count       Count faces.\n" in done.stdout
    assert "commands      count" in palsykit("plugins").stdout
    done = palsykit("count", "face ", "--times", "2")
    assert (done.returncode, done.stdout) == (0, "imported\nface face \n")
    done = palsykit("count", "--help")
    assert "Usage: palsykit count [OPTIONS]" in done.stdout
    assert "Count faces, as often as is wanted." in done.stdout
    assert palsykit("count").returncode == 2, "an argument is missing"


def test_a_typer_app_is_a_group(install: Callable[..., None], palsykit: Run) -> None:
    install("acme", attribute="app", source=GROUP)
    assert palsykit("count", "two").stdout == "two it is\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "import no_such_library"}, "command 'count' of plugin acme (acme 1.0) cannot be loaded: ModuleNot"),
        ({"attribute": "missing"}, "command 'count' of plugin acme (acme 1.0) cannot be loaded: AttributeError"),
        ({"source": "count = 3"}, "count is 3, expected a callable"),
        ({"source": "def count(what: int | str) -> None: ..."}, "cannot be read by typer: "),
        ({"hook": HOOK.replace(', help="Count faces."', "")}, "the command 'count' has the help '', expected help="),
        ({"hook": HOOK.replace("@hookimpl", "")}, "palsykit_register_commands lacks the decorator @palsykit.hookimpl"),
        ({"hook": HOOK.replace("{module}:{attribute}", "{module}")}, """expected "module:attribute", imported when"""),
        ({"hook": HOOK.replace("{name}", "Count faces")}, "expected lower-case letters, digits, - and _"),
    ],
)
def test_a_broken_one_is_blamed_and_the_others_go_on(
    install: Callable[..., None], palsykit: Run, changes: dict[str, str], message: str
) -> None:
    install("acme", **changes)
    done = palsykit("count", "x")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert palsykit("usefulness", "--help").returncode == 0


@pytest.mark.parametrize(("typed", "meant"), [("cuont", "'count'"), ("chekc", "'check'"), ("audti", "'audit'")])
def test_a_mistyped_one_is_answered_with_the_nearest(
    install: Callable[..., None], palsykit: Run, typed: str, meant: str
) -> None:
    install("acme")
    done = palsykit(typed, "x")
    assert done.returncode == 2
    assert f"No such command '{typed}'. Did you mean {meant}" in done.stderr
    install("torn", hook="import no_such_library")
    done = palsykit(typed, "x")
    assert done.returncode == 2
    assert f"No such command '{typed}'. Did you mean {meant}" in done.stderr
    assert "Broken plugins, one of which may have it\n  plugin torn (torn, from torn): ModuleNotFound" in done.stderr


def test_two_plugins_with_one_command(install: Callable[..., None], palsykit: Run) -> None:
    install("acme")
    install("other")
    done = palsykit("count", "x")
    assert done.returncode == 2
    assert "command 'count': plugins acme (acme 1.0) and other (other 1.0) both register it" in done.stderr
    assert palsykit("count", "x", PALSYKIT_DISABLE="acme").stdout == "imported\nx\n"


def test_palsykits_own_commands_are_not_replaced(install: Callable[..., None], palsykit: Run) -> None:
    install("acme", name="check")
    done = palsykit("check", "--help")
    assert "Check a recipe" in done.stdout
    assert "command 'check' is palsykit's own; a plugin cannot replace it" in palsykit("plugins").stdout


def test_a_disabled_one_is_gone(install: Callable[..., None], palsykit: Run) -> None:
    install("acme")
    done = palsykit("count", "x", PALSYKIT_DISABLE="acme")
    assert done.returncode == 2
    assert "No such command 'count'" in done.stderr


def test_the_registry_knows_the_names_of_our_own() -> None:
    groups = [group.name for group in app.registered_groups]
    assert [*(command.name for command in app.registered_commands), *groups] == list(CORE_COMMANDS)
