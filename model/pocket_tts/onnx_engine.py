"""`OnnxEngine`: Pocket TTS by an ONNX export, without torch."""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError
from agentaudio.model.pocket_tts.bundle import Bundle, Files, StateSpec
from agentaudio.model.pocket_tts.ending import end_in_pause
from agentaudio.model.pocket_tts.engine import SAMPLE_RATE_HZ, Arrays, Floats
from agentaudio.onnx import refuse_telemetry
from agentaudio.sound.audio import Audio

TEMPERATURE = 0.3
END_LOGIT = -4.0
FIRST_END = 6
"""An end before this frame is ignored: for some voices the logit is high before the first word."""
FRAMES_AFTER_END = 3
TOKENS_PER_S, PADDING_S, FRAMES_PER_S = 3.0, 2.0, 12.5
"""The longest sound of a text of n tokens is n / TOKENS_PER_S + PADDING_S. Source of these: pocket-tts 4.0.1."""
FADE = SAMPLE_RATE_HZ // 200
"""Samples that are faded in: a fresh decoder begins with a step."""

State = dict[str, NDArray[Any]]


class OnnxEngine:
    """A PocketEngine on ONNX Runtime.

    files: the graphs
    temperature: of the sampling; None is that of the bundle
    steps: of the sampling, for each frame
    threads: of the CPU
    """

    def __init__(self, files: Files, *, temperature: float | None = None, steps: int = 1, threads: int = 1) -> None:
        self._files, self._bundle = files, files.bundle
        published = TEMPERATURE if files.bundle.default_temperature is None else files.bundle.default_temperature
        self._deviation = math.sqrt(published if temperature is None else temperature)
        self._steps, self._threads = steps, threads
        self._graphs: dict[str, _Graph] = {}
        self._encode_text: Callable[[str], list[int]] | None = None
        self._random = np.random.default_rng()
        self._last: tuple[bytes, State] | None = None

    @property
    def name(self) -> str:
        return str(self._files.folder)

    @property
    def languages(self) -> tuple[str, ...]:
        return self._bundle.languages

    @cached_property
    def fingerprint(self) -> str:
        return f"onnx-{self._files.digest[:16]}"

    def load(self) -> None:
        if not self._graphs:
            self._encode_text = _tokenizer(self._files.tokenizer)
            self._graphs = {name: _Graph(path, self._threads) for name, path in self._files.graphs.items()}

    def encode(self, clip: Audio) -> Arrays:
        """What the transformer is given of the clip, as `conditioning`: (1, frames, width) float32."""
        self.load()
        (frames, *_) = self._graphs["mimi_encoder"].run(audio=end_in_pause(clip.samples)[None, None]).values()
        width = self._bundle.conditioning_dim
        conditioning = np.asarray(frames, np.float32).reshape(1, -1, width)
        if self._files.bos is not None:
            conditioning = np.concatenate([_bos(self._files.bos, width), conditioning], axis=1)
        if not np.isfinite(conditioning).all():
            raise BackendError(
                f"{self._files.graphs['mimi_encoder']} gave numbers that are not finite; use another clip"
            )
        return {"conditioning": conditioning}

    def tokens(self, text: str) -> int:
        self.load()
        assert self._encode_text is not None
        return len(self._encode_text(text))

    def speak(self, text: str, voice: Arrays, stop: threading.Event) -> Iterator[Floats]:
        """The sound of a text, frame by frame; see PocketEngine."""
        self.load()
        assert self._encode_text is not None
        prepared = _prepared(text, self._bundle)
        ids = np.array([self._encode_text(prepared)], np.int64)
        (embeddings, *_) = self._graphs["text_conditioner"].run(token_ids=ids).values()
        state, used = self._after_voice(voice["conditioning"])
        _, state = self._main(state, text=np.asarray(embeddings, np.float32).reshape(1, ids.shape[1], -1))
        most = math.ceil((ids.shape[1] / TOKENS_PER_S + PADDING_S) * FRAMES_PER_S)
        most = min(most, self._bundle.capacity - used - ids.shape[1])
        after_end = self._bundle.model_recommended_frames_after_eos
        if after_end is None:
            after_end = FRAMES_AFTER_END + (2 if len(text.split()) <= 4 else 0)
        decoder = _filled(self._bundle.mimi_state_manifest)
        fade = np.linspace(0, 1, FADE, dtype=np.float32)
        latent = np.full((1, 1, self._bundle.latent_dim), np.nan, np.float32)
        end: int | None = None
        for step in range(most):
            if stop.is_set():
                return
            (conditioning, logit), state = self._main(state, sequence=latent)
            if end is None and step >= FIRST_END and float(logit.reshape(-1)[0]) > END_LOGIT:
                end = step
            if end is not None and step >= end + after_end:
                return
            latent = self._sampled(conditioning)
            sound, decoder = self._decoded(latent, decoder)
            if step == 0:
                sound[:FADE] *= fade
            yield sound

    def close(self) -> None:
        self._graphs, self._last = {}, None

    def _after_voice(self, conditioning: NDArray[Any]) -> tuple[State, int]:
        """The state of the transformer after a voice, and how many positions that fills. The last one is kept."""
        key = hashlib.sha256(conditioning.tobytes()).digest()
        if self._last is None or self._last[0] != key:
            state = _filled(self._bundle.flow_lm_state_manifest)
            _, state = self._main(state, text=conditioning)
            self._last = key, state
        return self._last[1], conditioning.shape[1]

    def _main(
        self, state: State, *, sequence: Floats | None = None, text: Floats | None = None
    ) -> tuple[tuple[Floats, Floats], State]:
        """One run of the transformer: its output and the logit of an end, and its next state."""
        given = {
            "sequence": np.zeros((1, 0, self._bundle.latent_dim), np.float32) if sequence is None else sequence,
            "text_embeddings": np.zeros((1, 0, self._bundle.conditioning_dim), np.float32) if text is None else text,
        }
        found = self._graphs["flow_lm_main"].run(**given, **state)
        next_state = _next(found, self._bundle.flow_lm_state_manifest, self._files.graphs["flow_lm_main"])
        output, logit, *_ = found.values()
        return (output, logit), next_state

    def _sampled(self, conditioning: Floats) -> Floats:
        """The next frame, (1, 1, latent_dim): noise, moved by the flow in `steps` steps."""
        x = self._random.normal(0, self._deviation, (1, self._bundle.latent_dim)).astype(np.float32)
        for step in range(self._steps):
            start, end = (np.full((1, 1), place / self._steps, np.float32) for place in (step, step + 1))
            (direction, *_) = self._graphs["flow_lm_flow"].run(c=conditioning, s=start, t=end, x=x).values()
            x += np.asarray(direction, np.float32).reshape(1, -1) / np.float32(self._steps)
        return x[None]

    def _decoded(self, latent: Floats, state: State) -> tuple[Floats, State]:
        found = self._graphs["mimi_decoder"].run(latent=latent, **state)
        next_state = _next(found, self._bundle.mimi_state_manifest, self._files.graphs["mimi_decoder"])
        (sound, *_) = found.values()
        samples = np.array(sound, np.float32).reshape(-1)
        if not np.isfinite(samples).all():
            raise BackendError(f"{self._files.graphs['mimi_decoder']} gave sound that is not finite; download it again")
        return samples, next_state


class _Graph:
    """A graph, whose inputs and outputs go by name. Raises BackendError when it cannot be opened or run."""

    def __init__(self, path: Path, threads: int) -> None:
        refuse_telemetry()
        import onnxruntime

        self._path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise BackendError(f"{path} is damaged or not an ONNX file; download it again [{_line(error)}]") from error
        self._outputs = [one.name for one in self._session.get_outputs()]

    def run(self, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """All outputs by name, in the order of the file."""
        try:
            found = self._session.run(None, inputs)
        except Exception as error:
            raise BackendError(f"{self._path} is another graph than bundle.json describes [{_line(error)}]") from error
        return dict(zip(self._outputs, found, strict=True))


def _next(found: State, specs: tuple[StateSpec, ...], path: Path) -> State:
    """The next state of a graph, taken out of its outputs."""
    try:
        return {spec.input_name: found.pop(spec.output_name) for spec in specs}
    except KeyError as error:
        raise BackendError(f"{path} has no output {error}, which bundle.json describes; download it again") from None


def _filled(specs: tuple[StateSpec, ...]) -> State:
    return {spec.input_name: spec.filled() for spec in specs}


def _bos(path: Path, width: int) -> Floats:
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32).reshape(1, -1, width)
    except (OSError, ValueError, EOFError) as error:
        raise BackendError(f"{path} cannot be read ({str(error)[:100]}); download it again") from None


def _tokenizer(path: Path) -> Callable[[str], list[int]]:
    try:
        if path.suffix == ".json":
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(str(path))
            return lambda text: list(tokenizer.encode(text).ids)
        import sentencepiece

        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        return lambda text: list(processor.encode(text, out_type=int))
    except Exception as error:  # of Rust and C++
        raise BackendError(f"{path} is not a tokenizer; download it again [{_line(error)}]") from error


def _prepared(text: str, bundle: Bundle) -> str:
    """The text as in the training: it begins with a capital letter and ends with a sentence mark."""
    text = text.replace("’", "'").replace("‘", "'")
    if bundle.remove_semicolons:
        text = text.replace(";", ",")
    text = text[0].upper() + text[1:]
    if not re.search(r"[.!?…]['’]?$", text):
        text = text.rstrip(",;:-–— ") + "."
    is_short = bundle.pad_with_spaces_for_short_inputs and len(text.split()) < 5
    return " " * 8 + text if is_short else text


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
