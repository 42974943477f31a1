"""`agentaudio doctor`: what is installed, what is missing and how to install it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.table import Table

from agentaudio import __version__
from agentaudio.cli.console import in_home, mark, out, print_json
from agentaudio.weights.ledger import ledger
from agentaudio.weights.store import Store


@dataclass(frozen=True, slots=True)
class Check:
    """A package, a program or weights that may be installed.

    found: its version, name or folder, None if missing
    remedy: how to install it
    """

    what: str
    found: str | None
    needed_for: str
    remedy: str


# (import name, distribution, extra, purpose); the extra "" is the core
_PACKAGES = (
    ("numpy", "numpy", "", "everything"),
    ("soundfile", "soundfile", "", "sound files"),
    ("soxr", "soxr", "", "resampling"),
    ("pydantic", "pydantic", "", "tool schemas"),
    ("faiss", "faiss-cpu", "", "vector search"),
    ("pocketsphinx", "pocketsphinx", "embedded", "the embedded engine: recognition"),
    ("onnxruntime", "onnxruntime", "embedded", "the embedded engine: routing, search by meaning, speaker embeddings"),
    ("pyworld", "pyworld-prebuilt", "embedded", "the embedded engine: timbre transfer"),
    ("ctranslate2", "ctranslate2", "embedded", "recognition by Whisper"),
    ("tokenizers", "tokenizers", "embedded", "recognition by Whisper"),
    ("espeakng_loader", "espeakng-loader", "espeak", "the embedded engine: speech synthesis (GPL-3)"),
    ("torch", "torch", "local", "Step-Audio 2"),
    ("transformers", "transformers", "local", "Step-Audio 2"),
    ("kaldi_native_fbank", "kaldi-native-fbank", "local", "Step-Audio 2: timbre prompts"),
    ("ddgs", "ddgs", "web", "web_search"),
    ("av", "av", "containers", "reading WebM, MP4 and M4A"),
    ("sounddevice", "sounddevice", "microphone", "`agentaudio ask mic`"),
)


def checks() -> list[Check]:
    """All packages, programs and weights that agentaudio can use, with what this machine has of them."""
    found = []
    for module, distribution, extra, purpose in _PACKAGES:
        there: str | None = None
        if importlib.util.find_spec(module) is not None:
            try:
                there = version(distribution)
            except PackageNotFoundError:
                there = "unknown version"
        remedy = f"pip install 'agentaudio[{extra}]'" if extra else "pip install --force-reinstall agentaudio"
        found.append(Check(distribution, there, purpose, remedy))
    store = Store()
    for name, entry in ledger().items():
        here = None if store.missing(name) else in_home(store.path(name))
        found.append(Check(f"weights {name}", here, entry.purpose, f"agentaudio models fetch {name}"))
    player = next((name for name in ("paplay", "aplay", "afplay", "ffplay") if shutil.which(name)), None)
    found.append(Check("a sound player", player, "`agentaudio voices play`", "install alsa-utils, or use --out FILE"))
    return found


def doctor(*, json: bool = False) -> int:
    """Show what is installed, what is missing and how to install it.

    Exits with 1 when a package is missing that the core or the embedded engine needs.

    Parameters
    ----------
    json
        Print the findings as JSON.
    """
    findings = checks()
    broken = [
        c
        for c, package in zip(findings, _PACKAGES, strict=False)
        if not c.found and package[2] in ("", "embedded", "espeak")
    ]
    if json:
        print_json(
            {"agentaudio": __version__, "python": platform.python_version(), "checks": [asdict(c) for c in findings]}
        )
        return 1 if broken else 0
    out.print(f"agentaudio {__version__}, Python {platform.python_version()}, {platform.platform()}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", "what", "found", "for", "how to install it"):
        table.add_column(title, overflow="fold")
    for check in findings:
        sign = mark("✓", "green") if check.found else mark("✗", "red")
        table.add_row(sign, check.what, check.found or "–", check.needed_for, "" if check.found else check.remedy)
    out.print(table)
    return 1 if broken else 0
