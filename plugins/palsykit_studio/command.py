"""``palsykit studio``: the page in the browser, on this machine only unless another host is named."""

import os
import secrets
import tempfile
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from palsykit.cli.arguments import existing_run
from palsykit.errors import PalsykitError
from palsykit.progress import say
from palsykit.synthesis.shipped import DEFAULT, shipped_model, shipped_models
from palsykit_studio.texts import languages

INSTALL = "the studio needs Gradio, which is not installed: pip install 'palsykit[studio]'"
NEEDED = ("gradio", "fastapi", "uvicorn")

Run = Annotated[
    str,
    typer.Argument(
        metavar="[RUN]", help="A run's folder, or the name of a model that ships with palsykit.", show_default=True
    ),
]
Host = Annotated[
    str,
    typer.Option(
        "--host", help="The address to listen on. Another than this machine's own loopback asks for a password."
    ),
]
Password = Annotated[
    str | None,
    typer.Option(
        "--password",
        envvar="PALSYKIT_STUDIO_PASSWORD",
        help="Asked for in the browser. Default: none on loopback, else one is made and printed once.",
        show_default=False,
    ),
]


def command(
    run: Run = DEFAULT,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port.")] = 7860,
    password: Password = None,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="en|de", help="First language of the page; default: the browser's."),
    ] = None,
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder of the runs that the page shows.")] = Path(
        "runs"
    ),
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser of this machine.")
    ] = True,
) -> None:
    """Open the studio: synthesise, make data sets, watch runs and measure photographs in the browser.

    Nothing leaves this machine. Uploads are in a folder that only this user can read, and are deleted when a page is
    closed for an hour and when the studio stops (Ctrl-C).
    """
    if [name for name in NEEDED if find_spec(name) is None]:
        raise PalsykitError(INSTALL)
    if shipped_model(run) is None:
        _check_run(run)
    if language is not None and language not in languages():
        raise PalsykitError(f"--language {language}: expected {' or '.join(languages())}")
    local = is_loopback(host)
    password, made = password_for(local, password)

    with tempfile.TemporaryDirectory(prefix="palsykit-studio-") as folder:  # mode 0700, gone at the end
        stay_here(Path(folder))
        from palsykit_studio.server import Settings, serve

        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"The studio: {address} (Ctrl-C ends it and deletes what was uploaded)")
        if made:
            say(f"Password, shown this once: {password} (any user name)")
        settings = Settings(run, host, port, password, language, runs, Path(folder), local, open_browser and local)
        serve(settings)


def _check_run(run: str) -> None:
    try:
        existing_run(Path(run))
    except PalsykitError as error:
        shipped = ", ".join(shipped_models())
        raise PalsykitError(f"{error.message}; models that ship with palsykit: {shipped}") from error


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def password_for(local: bool, given: str | None) -> tuple[str | None, bool]:
    """The password to ask for, if any, and whether it was made here.

    Raises:
        PalsykitError: the password is empty.
    """
    if given is not None and not given.strip():
        raise PalsykitError("--password: found nothing, expected a password; or leave the option out")
    if given is None and not local:
        return secrets.token_urlsafe(16), True
    return given, False


def stay_here(folder: Path) -> None:
    """Tell Gradio, before it is imported, to keep files in ``folder``, and to ask no other machine for anything."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
