"""Shared fixtures: a small voice library and a small corpus."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from support.sounds import tone

from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent, Source

# Background jobs of a shell ignore Ctrl-C, and the processes that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test speaks to a TLS server that public authorities certify. To read them takes 20 ms in each client of HTTP.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent / "support")

# What is collected lives until the end. To look for garbage among it, time and again, takes a tenth of the time.
gc.disable()

# No deadline: the tests run on shared machines, where the time of an example varies.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("mutate", settings.get_profile("shared"), phases=[Phase.explicit, Phase.generate])
settings.register_profile("thorough", settings.get_profile("shared"), max_examples=4_000)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"  # agentaudio needs it, also where trio is installed


# Tiers of the tests that run apart from the others, each by `-m` and its name.
TIERS = ("hostile", "neural", "system", "browser")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files without a test of the tier that `-m` names: to import all files takes 15 s in each process."""
    tier = config.getoption("markexpr")
    if tier not in TIERS or collection_path.suffix != ".py":
        return None
    return f"mark.{tier}" not in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vectors", metavar="FOLDER", help="reference vectors of Step-Audio 2, with their manifest.json")


FREE = Consent(basis="synthetic", holder="nobody", scope=("synthesis", "demo"))


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that is made once per session; `library` copies it."""
    folder = tmp_path_factory.mktemp("library") / "voices"
    made = VoiceLibrary.create(folder)
    common = {"licence": "CC0-1.0", "source": Source(engine="a sine wave"), "language": "en"}
    made.add(tone(110, 2), id="walter", name="Walter", description="A calm, deep old man.",
             gender="male", age="old", consent=FREE, **common)  # fmt: skip
    made.add(tone(300, 2), id="ruby", name="Ruby", description="A cheerful young woman who speaks fast.",
             gender="female", age="young", consent=FREE, **common)  # fmt: skip
    made.add(tone(150, 2), id="robot", name="Zed", description="A monotonous robot with a metallic sound.",
             gender="neutral", consent=FREE, tags=("machine",), **common)  # fmt: skip
    made.add(tone(200, 2), id="secret", name="Iris", description="A whispering woman.", gender="female", **common)
    return folder


@pytest.fixture
def library(library_folder: Path, tmp_path: Path) -> VoiceLibrary:
    """A library with three usable voices, and one without consent."""
    return VoiceLibrary(shutil.copytree(library_folder, tmp_path / "voices"))


@pytest.fixture
def voices(library: VoiceLibrary) -> VoiceSearch:
    return VoiceSearch(library)


@pytest.fixture
def documents(tmp_path: Path) -> DocumentIndex:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "wall.md").write_text(
        "# The Great Wall\n\nThe Great Wall is 21,000 kilometers long.\n\nMost of it was built by the Ming dynasty.\n"
    )
    (folder / "tea.txt").write_text("Green tea is steamed or fried.\n\nBlack tea is oxidized before it is dried.\n")
    return DocumentIndex.from_folder(folder, embed=None)
