"""Sending an exported folder to a hub: only when a user says so."""

from pathlib import Path
from typing import Any

from palsykit.errors import PalsykitError


def push(folder: Path, repo_id: str, *, private: bool = True, **keywords: Any) -> str:
    """Send a folder by huggingface_hub's own methods, ``create_repo`` and ``upload_folder``.

    Args:
        folder: an exported one; all of its files are sent.
        repo_id: "USER/NAME"; made if it does not exist.
        private: whether a new repository is.
        keywords: of ``upload_folder``; ``token`` is also one of ``create_repo``.

    Returns:
        The address of the commit.

    Raises:
        PalsykitError: the hub refuses, or cannot be reached.
    """
    import huggingface_hub

    words = {"commit_message": "palsykit export", **keywords}
    try:
        made = huggingface_hub.create_repo(repo_id, private=private, exist_ok=True, token=words.get("token"))
        done = huggingface_hub.upload_folder(repo_id=made.repo_id, folder_path=folder, **words)
    except Exception as error:  # the library and the one under it have many errors, of several bases
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise PalsykitError(
            f"{repo_id}: not sent ({reason}); log in with `hf auth login`, and try again, or send the folder with "
            f"`hf upload {repo_id} DEST`"
        ) from error
    return str(getattr(done, "commit_url", done))
