"""The code, commands and links of the documentation work."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.local_http import Answer, Asked, local_server
from support.openai_server import DONE, delta, spoken_answer
from support.sounds import tone

from agentaudio.cli import main
from agentaudio.demo.run import questions_folder

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


NEEDS_TORCH = "step_audio_2.md"
NEEDS_SERVER = "models.md"


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, body)
        for page in PAGES
        for found, body in BLOCK.findall(page.read_text(encoding="utf-8"))
        if found == language
    ]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint in the place of Step-Audio-2-mini."""
    from agentaudio.model.step_audio_2.init_tiny import init_tiny

    # A model with random weights rarely stops; a short context ends its answers.
    return init_tiny(tmp_path_factory.mktemp("checkpoint"), text={"max_position_embeddings": 2048})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, request: pytest.FixtureRequest) -> Path:
    """A working folder with the files that the pages use: a question, recordings and a model."""
    from agentaudio import Audio

    Audio.load(questions_folder() / "national-museum.flac").save(tmp_path / "question.wav")
    shutil.copytree(questions_folder(), tmp_path / "recordings")
    if page == NEEDS_TORCH:
        pytest.importorskip("torch", reason="the model needs torch")
        (tmp_path / "Step-Audio-2-mini").symlink_to(request.getfixturevalue("checkpoint"))
    if page == NEEDS_SERVER:
        monkeypatch.setenv("OPENAI_BASE_URL", request.getfixturevalue("chat_service"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def chat_service() -> Iterator[str]:
    """The address of a server in OpenAI's place, which says hello, with sound where that is asked for."""
    words = [delta(role="assistant", content="Hello."), delta("stop"), DONE]
    sound = spoken_answer(("Hello.", tone(duration_s=0.5, sample_rate=24_000).to_pcm16()))

    def answer(asked: Asked) -> Answer:
        return 200, {"content-type": "text/event-stream"}, b"".join(sound if b'"pcm16"' in asked.body else words)

    with local_server() as server:
        server.answers["/v1/chat/completions"] = answer
        yield f"{server.url}/v1"


@pytest.fixture
def page() -> str:
    """Of the code that is run; the examples are on none."""
    return ""


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_snippets_run(page: str, code: str, folder: Path) -> None:
    exec(compile(code, page, "exec"), {"__name__": "__main__"})
    if "answer.wav" in code:
        assert (folder / "answer.wav").stat().st_size > 10_000


def commands(body: str) -> list[str]:
    return [command for line in body.splitlines() if (command := line.split("#")[0].strip())]


@pytest.mark.parametrize(("page", "body"), blocks("bash"))
def test_commands_run_in_order(page: str, body: str, folder: Path) -> None:
    for line in commands(body):
        program, *rest = shlex.split(line)
        if program == "agentaudio":
            with pytest.raises(SystemExit) as ended:
                main(rest)
            assert ended.value.code in (0, None), line
        elif program == "make":
            # `make test` would run these tests again, so make only prints what it would do.
            subprocess.run(["make", "--dry-run", *rest], cwd=ROOT, check=True, capture_output=True)
        elif program == "python":
            assert (ROOT / rest[0]).exists()
        else:
            assert shutil.which(program)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_have_existing_targets(page: Path) -> None:
    dead = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()]
    assert dead == []


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(example: Path, folder: Path) -> None:
    usage = re.search(rf"python examples/{example.name} ?(.*)", ast.get_docstring(ast.parse(example.read_text())) or "")
    assert usage is not None, "an example says how it is run"
    arguments = [word.strip("[]") for word in usage[1].split() if not word.startswith("[")]
    for wanted in arguments:
        if wanted.endswith(".wav"):
            shutil.copy(folder / "question.wav", folder / wanted)
    done = subprocess.run([sys.executable, example, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() and not done.stderr
