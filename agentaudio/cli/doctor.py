"""`agentaudio doctor`: what is installed, what is missing and how to install it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from ctypes.util import find_library
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from agentaudio import __version__
from agentaudio.cli.console import in_home, mark, out, print_json, progress
from agentaudio.cli.hearing import Hearing, check_hearing
from agentaudio.cli.models import ModelOptions, load_or_fetch, read_options
from agentaudio.errors import AgentAudioError
from agentaudio.escaping import one_line
from agentaudio.live.sound_card import PORTAUDIO
from agentaudio.model.options import Signature
from agentaudio.model.registry import find_loader
from agentaudio.weights.ledger import ledger
from agentaudio.weights.store import Store

if TYPE_CHECKING:
    from agentaudio.model.step_audio_2.checkup import Finding

STEP_AUDIO_2 = "step-audio-2-mini"


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
    ("onnx", "onnx", "embedded", "the faster graph of Kokoro"),
    ("py3langid", "py3langid", "embedded", "the embedded engine: the language of a written request"),
    ("espeakng_loader", "espeakng-loader", "espeak", "the embedded engine: speech synthesis (GPL-3)"),
    ("pypinyin", "pypinyin", "chinese", "Chinese spoken by Kokoro"),
    ("ddgs", "ddgs", "web", "web_search"),
    ("trafilatura", "trafilatura", "web", "read_page, web_search, HTML files in search_documents"),
    ("pypdf", "pypdf", "documents", "PDF files in search_documents"),
    ("docx", "python-docx", "documents", "Word files in search_documents"),
    ("sentence_transformers", "sentence-transformers", "local", "search by other text embedders"),
    ("mcp", "mcp", "mcp", "tools of MCP servers, and `agentaudio mcp`"),
    ("c2pa", "c2pa-python", "provenance", "signed files, and `agentaudio inspect`"),
    ("av", "av", "containers", "reading WebM, MP4, M4A, AAC, AMR and WMA"),
    ("pyarrow", "pyarrow", "parquet", "voice manifests and copies of benchmarks in Parquet"),
    ("fastapi", "fastapi", "server", "`agentaudio serve`"),
    ("uvicorn", "uvicorn", "server", "`agentaudio serve`"),
    ("aiortc", "aiortc", "webrtc", "Realtime sessions over WebRTC"),
    ("websockets", "websockets", "realtime", "`--model realtime:ADDRESS`"),
    ("sounddevice", "sounddevice", "microphone", "`agentaudio chat` and `agentaudio ask mic`"),
    ("torch", "torch", "local", "Step-Audio 2, the models of Qwen, language models of cascades"),
    ("transformers", "transformers", "local", "the same"),
    ("kaldi_native_fbank", "kaldi-native-fbank", "local", "Step-Audio 2: timbre prompts"),
    ("piper", "piper-tts", "piper", "voices of Piper (GPL-3)"),
    ("pocket_tts", "pocket-tts", "pocket-tts", "speech in cloned voices by Pocket TTS"),
    ("sentencepiece", "sentencepiece", "pocket-tts-onnx", "Pocket TTS by an ONNX export"),
    ("llama_cpp", "llama-cpp-python", "llama-cpp", "language models of cascades as GGUF files, Step-Audio 2 in 4 bits"),
    ("gguf", "gguf", "llama-cpp", "Step-Audio 2 by llama.cpp: its file of weights"),
    ("accelerate", "accelerate", "quantized", "weights split over several devices"),
    ("bitsandbytes", "bitsandbytes", "quantized", "weights in 4 bits"),
    ("json_repair", "json-repair", "vllm", "the plug-in by which vLLM serves Step-Audio 2"),
    ("speechbrain", "speechbrain", "speechbrain", "the speaker encoder ECAPA-TDNN"),
    ("opentelemetry", "opentelemetry-sdk", "tracing", "spans of turns, and OTEL_* for `agentaudio serve`"),
    ("inspect_ai", "inspect-ai", "eval", "`agentaudio eval`"),
    ("jiwer", "jiwer", "eval", "word and character error rates"),
    ("sacrebleu", "sacrebleu", "eval", "BLEU"),
    ("whisper_normalizer", "whisper-normalizer", "eval", "normalised English text"),
    ("wetext", "wetext", "eval", "normalised Chinese text"),
    ("zhconv", "zhconv", "eval", "normalised Cantonese text"),
    ("matplotlib", "matplotlib", "eval", "pictures of comparisons"),
    ("voicebench", "voicebench", "eval", "live behaviour"),
    ("funasr", "funasr", "emotions", "emotions in speech, for one task of URO-Bench"),
    ("psycopg", "psycopg", "postgres", "sessions stored in PostgreSQL"),
    ("redis", "redis", "redis", "sessions stored in Redis"),
    ("pymilvus", "pymilvus", "scale", "voice search on Milvus"),
    ("ray", "ray", "scale", "`agentaudio voices ingest --ray`"),
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
    found.append(Check("PortAudio", _portaudio(), "the microphone and the loudspeaker", PORTAUDIO))
    player = next((name for name in ("paplay", "aplay", "afplay", "ffplay") if shutil.which(name)), None)
    found.append(Check("a sound player", player, "`agentaudio voices play`", "install alsa-utils, or use --out FILE"))
    return found


def _portaudio() -> str | None:
    """The system library, or the one that comes with the package sounddevice on macOS and Windows."""
    bundled = "with sounddevice" if importlib.util.find_spec("_sounddevice_data") is not None else None
    return find_library("portaudio") or bundled


async def doctor(*, model: str | None = None, option: ModelOptions = (), json: bool = False) -> int:
    """Show what is installed, what is missing and how to install it.

    Exits with 1 when a package is missing that the core or the embedded engine needs, or the given model does not
    hear, or its checkpoint or this machine is not fit for it.

    Parameters
    ----------
    model
        Also ask this speech model, as NAME or NAME:ARGUMENT, to repeat a recording: some servers ignore the
        sound that they are sent. This makes one or two requests. Of `step-audio-2-mini`, or
        `step-audio-2-mini:FOLDER`, the versions, files and memory are checked instead, and one token and one chunk of
        sound are made; nothing is downloaded.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    json
        Print the findings as JSON.
    """
    findings = checks()
    broken = [
        c
        for c, package in zip(findings, _PACKAGES, strict=False)
        if not c.found and package[2] in ("", "embedded", "espeak")
    ]
    if model is not None and model.partition(":")[0] == STEP_AUDIO_2:
        return await _checkup(model, option, json=json)
    heard = await _heard(model, option) if model is not None else None
    failed = 1 if broken or (heard is not None and not heard.hears) else 0
    if json:
        found = {"agentaudio": __version__, "python": platform.python_version(), "checks": list(map(asdict, findings))}
        print_json(found if heard is None else {**found, "hearing": asdict(heard)})
        return failed
    out.print(f"agentaudio {__version__}, Python {platform.python_version()}, {platform.platform()}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", "what", "found", "for"):
        table.add_column(title, overflow="fold")
    for check in findings:
        table.add_row(_sign(bool(check.found)), check.what, check.found or "–", check.needed_for)
    out.print(table)
    for remedy in dict.fromkeys(check.remedy for check in findings if not check.found):
        what = ", ".join(check.what for check in findings if not check.found and check.remedy == remedy)
        out.print(mark("missing", "yellow"), f"{what}: {remedy}")
    if heard is not None:
        out.print(_sign(heard.hears), heard.line)
    return failed


async def _checkup(spec: str, options: Sequence[str], *, json: bool) -> int:
    """Check a checkpoint of Step-Audio 2 and this machine: one line for each finding."""
    found = []
    async with aclosing(_findings(spec, options)) as findings:
        async for finding in findings:
            found.append(finding)
            if not json:
                out.print(_sign(finding.ok), f"{finding.what}: {one_line(finding.line)}")
    if json:
        print_json({"agentaudio": __version__, "model": spec, "findings": list(map(asdict, found))})
    return 0 if all(finding.ok for finding in found) else 1


async def _findings(spec: str, options: Sequence[str]) -> AsyncGenerator[Finding, None]:
    from agentaudio.model.step_audio_2.checkup import Finding, checkup

    name, _, checkpoint = spec.partition(":")
    try:
        signature = Signature.of(find_loader(name))
        given = signature.check(read_options(options, signature), os.environ)
    except AgentAudioError as error:  # such as a missing package, or one of another version
        yield Finding("versions", False, str(error))
        return
    async with aclosing(checkup(checkpoint or None, **given)) as findings:
        async for finding in findings:
            yield finding


def _sign(ok: bool) -> Text:
    return mark("✓", "green") if ok else mark("✗", "red")


async def _heard(spec: str, options: Sequence[str]) -> Hearing:
    model = await load_or_fetch(spec, options)
    try:
        with progress("playing a recording to the model"):
            return await check_hearing(model)
    finally:
        await model.aclose()
