"""Files that systems leave in folders of photographs and nobody means: hidden ones, thumbnails, settings."""

LEFT_BY_SYSTEMS = frozenset(
    {
        "thumbs.db",
        "desktop.ini",
        "ehthumbs.db",
        "@eadir",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "__macosx",
        "lost+found",
    }
)
"""Names in small letters: of Windows, of macOS's archives, of Synology's drives (@eaDir holds thumbnails), of Linux."""


def is_left_alone(name: str) -> bool:
    """Whether a file or folder of this name is neither read nor listed."""
    return name.startswith(".") or name.lower() in LEFT_BY_SYSTEMS
