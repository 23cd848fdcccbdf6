"""The small shipped model behind the studio's functions; no browser and no Gradio."""

from pathlib import Path

import pytest
from PIL import Image

from palsykit_studio.engine import Engine
from palsykit_studio.photograph import Found, find

PORTRAIT = Path(__file__).parents[3] / "docs" / "portrait.jpg"


@pytest.fixture(scope="session")
def engine(one_cache: None) -> Engine:
    """The model for 64 px that ships with palsykit."""
    return Engine("cfcpalsy-64")


@pytest.fixture(scope="session")
def portrait() -> Path:
    """A photograph of a person who does not exist."""
    return PORTRAIT


@pytest.fixture(scope="session")
def pair(portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph with two faces: the portrait, and right of it the same at three quarters of its size."""
    with Image.open(portrait) as opened:
        both = Image.new("RGB", (opened.width * 7 // 4, opened.height), "lightgrey")
        both.paste(opened, (0, 0))
        both.paste(opened.resize((opened.width * 3 // 4, opened.height * 3 // 4)), (opened.width, 0))
    path = tmp_path_factory.mktemp("pair") / "pair.png"
    both.save(path)
    return path


@pytest.fixture(scope="session")
def found(engine: Engine, portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The portrait, its face found and measured."""
    return find(engine, portrait, tmp_path_factory.mktemp("found"))
