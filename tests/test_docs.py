"""The code, commands and links of the documentation work: each page is run from top to bottom, as a reader does."""

from __future__ import annotations

import ast
import builtins
import contextlib
import re
import shlex
import shutil
import subprocess
import symtable
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from support.local_http import Answer, Asked, local_server
from support.openai_server import DONE, delta, spoken_answer
from support.sounds import tone

from agentaudio.cli import main
from agentaudio.demo.run import questions_folder
from agentaudio.evaluation.suites.load import load_suite
from agentaudio.tools.discovery import find_tools

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
YAML_NAME = re.compile(r"\A# (\S+\.ya?ml)$", re.MULTILINE)
"""A first line that says which file the block is."""
SETTING = re.compile(r"\w+=")
"""What a command has before it for the environment."""
ELSEWHERE = ("vllm",)
"""Programs of environments of their own."""
COMPILED = {"runtime=llama.cpp": ("llama_cpp", "agentaudio[llama-cpp]")}
"""Options that need a package which is compiled when it is installed, and the extra that installs it."""
SUITE = re.compile(r"^dialogues:", re.MULTILINE)
SAVED = re.compile(r"""\.save\(["'](\w+\.wav)["']\)""")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


SPOKEN = {
    "README.md",
    "agent.md",
    "models.md",
    "tools.md",
    "voice_switch",
    "own_voices",
    "declarative_tool",
    "tutorial.md",
    "quickstart",
}
"""Pages and examples that speak much with the embedded engine."""
SLOW = {"evaluation.md", "mcp.md"}
"""Pages that start several programs."""
NEEDS_TORCH = {"step_audio_2.md", "step_audio_2_server.md"}
NEEDS_SERVER = "models.md"
MODEL_SERVER = "http://gpu:8000/v1"
"""Where pages have a vLLM with Step-Audio 2 on another machine."""
SERVES = {"serve-token2wav": "8200"}
"""Commands that run until they are stopped, with their port; what follows on the page talks to them."""


@dataclass(frozen=True)
class Block:
    """A block of code. line: of its first line in the page"""

    language: str
    code: str
    line: int


class Elsewhere:
    """Servers in the places of those that a page speaks of, until the block of `with` ends."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._running.close()

    def put(self, address: str, server: str) -> None:
        """Have code and commands that name an address use a server."""
        self._places[address] = server

    def named(self, code: str) -> str:
        """Code or a command with the addresses of the servers."""
        for address, server in self._places.items():
            code = code.replace(address, server)
        return code

    def serve(self, command: str, *options: str) -> None:
        """Start `agentaudio COMMAND OPTIONS` on a free port, and put it where the options say."""
        from support.server import server_process

        parts = list(options)
        port = SERVES[command]
        if "--port" in parts:
            at = parts.index("--port")
            port = parts[at + 1]
            del parts[at : at + 2]
        server = self._running.enter_context(server_process(*parts, keys="", command=command))
        self.put(f"http://127.0.0.1:{port}", server.url)


def marked(paths: Iterable[Path], name: Callable[[Path], str]) -> list[Any]:
    """The paths as parameters, with the marker `neural` where they speak much, and `system` where they are slow."""

    def marks(path: Path) -> list[pytest.MarkDecorator]:
        if name(path) in SPOKEN:
            return [pytest.mark.neural]
        return [pytest.mark.system] if name(path) in SLOW or path.suffix == ".py" else []

    return [pytest.param(path, id=name(path), marks=marks(path)) for path in paths]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1) for found in BLOCK.finditer(text)]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint in the place of Step-Audio-2-mini."""
    from agentaudio.model.step_audio_2.init_tiny import init_tiny

    # A model with random weights rarely stops; a short context ends its answers.
    return init_tiny(tmp_path_factory.mktemp("checkpoint"), text={"max_position_embeddings": 2048})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Path, request: pytest.FixtureRequest) -> Path:
    """A working folder with the files that the pages use: a question, recordings and a model."""
    from agentaudio import Audio

    Audio.load(questions_folder() / "national-museum.flac").save(tmp_path / "question.wav")
    shutil.copy(tmp_path / "question.wav", tmp_path / "me.wav")
    shutil.copytree(questions_folder(), tmp_path / "recordings")
    if page.name in NEEDS_TORCH:
        pytest.importorskip("torch", reason="the model needs torch")
        (tmp_path / "Step-Audio-2-mini").symlink_to(request.getfixturevalue("checkpoint"))
    if page.name == NEEDS_SERVER:
        monkeypatch.setenv("OPENAI_BASE_URL", request.getfixturevalue("chat_service"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))  # for the certificate that files are signed with
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
def elsewhere(page: Path, request: pytest.FixtureRequest) -> Iterator[Elsewhere]:
    """What a page finds on other machines."""
    with Elsewhere() as servers:
        if MODEL_SERVER in page.read_text(encoding="utf-8"):
            servers.put(MODEL_SERVER, request.getfixturevalue("model_server"))
        yield servers


@pytest.fixture
def model_server(checkpoint: Path) -> Iterator[str]:
    """The address of a server in the place of vLLM with Step-Audio 2, which says hello in speech tokens."""
    from support.openai_server import chat_server
    from support.step_audio_2_server import spoken_ids, surround, vllm_chunks

    from agentaudio.model.step_audio_2.tokens import BpeVocabulary

    vocabulary = BpeVocabulary.load(str(checkpoint / "tokenizer.json"))
    hello = spoken_ids(vocabulary, "Good morning!", [(31 * n) % 6561 for n in range(40)])
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(chat_server()) as server:
        surround(server, vllm_chunks(vocabulary, hello), models=["step-audio-2-mini"])
        yield server.url


@pytest.fixture
def page() -> Path:
    """Of the code that is run; the examples are on none."""
    return Path()


@pytest.mark.parametrize("page", marked(PAGES, lambda page: page.name))
def test_a_page_runs_from_top_to_bottom_in_one_folder(
    page: Path, folder: Path, elsewhere: Elsewhere, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code goes on with the names of the code above it, and commands with the files and servers."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python":
            code = elsewhere.named(block.code)
            exec(compile("\n" * (block.line - 1) + code, page.name, "exec"), names)
        elif block.language == "py":  # needs what is not installed here
            assert not unknown_names(block.code, names), f"{page.name}:{block.line} uses names that nothing defines"
        elif block.language == "bash":
            for command in commands(block.code):
                run(elsewhere.named(command), elsewhere, capsys)
        elif block.language == "yaml":
            name = YAML_NAME.search(block.code)
            assert name is not None, f"{page.name}:{block.line} does not say which file it is"
            (folder / name[1]).write_text(block.code, encoding="utf-8")
            assert load_suite(name[1]) if SUITE.search(block.code) else find_tools([name[1]])
    for name in SAVED.findall("".join(block.code for block in blocks(page) if block.language == "python")):
        assert (folder / name).stat().st_size > 10_000, f"{page.name} saves {name}"


def unknown_names(code: str, known: Mapping[str, object]) -> set[str]:
    """The names that code uses and neither it nor the code above it defines."""
    table = symtable.symtable(code, "page", "exec")
    defined = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    scopes = [table]
    used = set[str]()
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        used |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_referenced() and symbol.is_global()}
        if scope is table:
            used |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_referenced()}
    return used - defined - known.keys() - vars(builtins).keys()


def test_a_name_that_nothing_defines_is_found() -> None:
    assert unknown_names("import a\nb = a.f(c, [d for d in print])\ndef e(g): return g(h)", {"c": 1}) == {"h"}


def commands(body: str) -> list[str]:
    return [command for line in body.replace("\\\n", " ").splitlines() if (command := line.split("#")[0].strip())]


def run(command: str, elsewhere: Elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
    program, *rest = dropwhile(SETTING.match, shlex.split(command))
    if program == "agentaudio" and rest[0] in SERVES:
        elsewhere.serve(*rest)
    elif program == "agentaudio":
        missing = [
            extra for word in rest if word in COMPILED for package, extra in [COMPILED[word]] if not find_spec(package)
        ]
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(rest)
        if missing:
            assert ended.value.code == 1 and f"pip install '{missing[0]}'" in " ".join(
                "".join(capsys.readouterr()).split()
            ), command
        else:
            assert ended.value.code in (0, None), command
            if "--out" in rest:
                assert Path(rest[rest.index("--out") + 1]).stat().st_size > 0, command
    elif program == "make":
        # `make test` would run these tests again, so make only prints what it would do.
        subprocess.run(["make", "--dry-run", *rest], cwd=ROOT, check=True, capture_output=True)
    elif program == "python" and rest[0] == "-m":
        package = rest[1].split(".")[0]
        assert package in ELSEWHERE or find_spec(package), command
    elif program == "python":
        assert (ROOT / rest[0]).exists(), command
    else:
        assert program in ELSEWHERE or shutil.which(program), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_have_existing_targets(page: Path) -> None:
    dead = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()]
    assert dead == []


@pytest.mark.parametrize("example", marked(sorted((ROOT / "examples").glob("*.py")), lambda path: path.stem))
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
