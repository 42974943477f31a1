"""The entry point `step-audio-2`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import SecretStr

from agentaudio.errors import BackendError, OptionError
from agentaudio.model.openai.progress import PROGRESS_TIMEOUT_S
from agentaudio.model.options import FromEnv
from agentaudio.model.step_audio_2.language.dialect import Language
from agentaudio.model.step_audio_2.served.backend import ServedStepAudio2
from agentaudio.model.step_audio_2.served.messages import SERVER_DIALECTS, ServerKind
from agentaudio.model.step_audio_2.served.server import ModelServer
from agentaudio.model.step_audio_2.token2wav.speaking import VoiceMaker
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, TokenIds

LOCAL = "http://127.0.0.1:8000/v1"
"""Where vLLM listens by default."""


def load(
    argument: str | None,
    *,
    base_url: Annotated[str, FromEnv("STEP_AUDIO_2_BASE_URL")] = LOCAL,
    api_key: Annotated[SecretStr | None, FromEnv("STEP_AUDIO_2_API_KEY")] = None,
    token2wav: Annotated[str | None, FromEnv("STEP_AUDIO_2_TOKEN2WAV")] = None,
    token2wav_key: Annotated[SecretStr | None, FromEnv("STEP_AUDIO_2_TOKEN2WAV_KEY")] = None,
    tokenizer: Path | None = None,
    dialect: Literal["vllm", "stepfun", "vllm-omni", "auto"] = "auto",
    language: Language | None = None,
    max_tokens: int | None = None,
    device: str | None = None,
    progress_timeout_s: float = PROGRESS_TIMEOUT_S,
) -> ServedStepAudio2:
    """The entry point `step-audio-2`. argument: the model's name on the server; None for the only one.

    base_url: of the server, up to /v1
    api_key: of the server, if it needs one
    token2wav: what makes the sound: a checkpoint folder or its `token2wav` folder, or the address of
        `agentaudio serve-token2wav`; none for words and speech tokens without sound
    token2wav_key: of that service, if it needs one
    tokenizer: a checkpoint folder or its `tokenizer.json`, by which answers of vLLM are read from their token ids; none
        for that of the folder `token2wav`, and without it, for reading answers by their spelling
    dialect: of the server: `vllm` with agentaudio's plug-in, `stepfun` for StepFun's own build, `vllm-omni`; `auto`
        asks the server
    language: of the prompts; none for the user's
    max_tokens: of an answer where none is asked for
    device: of a token2wav in this process; none for CUDA if available, else the CPU
    progress_timeout_s: longest wait for words, speech or calls

    Raises OptionError for a bad address or a folder that is not there, and BackendError for a folder without its files.
    """
    if not progress_timeout_s > 0:
        raise OptionError(f"progress_timeout_s is {progress_timeout_s}; give seconds above 0")
    kind: ServerKind | None = None if dialect == "auto" else dialect
    folder = None if token2wav is None or _is_address(token2wav) else _checkpoint(Path(token2wav).expanduser())
    vocabulary = _vocabulary(tokenizer, folder)
    speech = _speech(token2wav, folder, _value(token2wav_key), device, progress_timeout_s)
    own = SERVER_DIALECTS[kind] if kind is not None else None
    server = ModelServer(
        ServedStepAudio2.name, base_url, _value(api_key),
        model=argument, kind=kind, ids=vocabulary.ids if vocabulary else TokenIds(), timeout_s=progress_timeout_s,
    )  # fmt: skip
    return ServedStepAudio2(
        server, speech=speech, vocabulary=vocabulary,
        speaks_itself=own is not None and own.makes_sound, calls_tools=own is None or own.calls_tools,
        language=language, max_tokens=max_tokens, progress_timeout_s=progress_timeout_s,
    )  # fmt: skip


def _value(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _is_address(token2wav: str) -> bool:
    return "://" in token2wav


def _checkpoint(folder: Path) -> Path:
    """The `token2wav` folder that a folder is, or has. Raises OptionError."""
    if not folder.is_dir():
        raise OptionError(
            f"token2wav is {str(folder)!r}, which is neither a folder nor an address; give a checkpoint's token2wav "
            "folder, or http://HOST:PORT of `agentaudio serve-token2wav`"
        )
    inner = folder / "token2wav"
    return inner if inner.is_dir() else folder


def _vocabulary(tokenizer: Path | None, token2wav: Path | None) -> BpeVocabulary | None:
    if tokenizer is not None:
        file = tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer
        if not file.is_file():
            raise BackendError(
                f"{file} is missing; give the tokenizer.json of the checkpoint that the server has loaded"
            )
        return BpeVocabulary.load(str(file))
    if token2wav is not None and (token2wav.parent / "tokenizer.json").is_file():
        return BpeVocabulary.load(str(token2wav.parent / "tokenizer.json"))
    return None


def _speech(
    token2wav: str | None, folder: Path | None, key: str | None, device: str | None, timeout_s: float
) -> VoiceMaker | None:
    if token2wav is None:
        return None
    if folder is None:
        from agentaudio.model.step_audio_2.token2wav.remote import RemoteDecoder

        return RemoteDecoder(token2wav, key, timeout_s=timeout_s)
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder

    return SpeechDecoder(folder, device=device)
