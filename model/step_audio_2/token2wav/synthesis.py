"""`Token2Wav`: from speech tokens to sound in any voice, whole or streaming."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from agentaudio.errors import BackendError, MissingExtra, OptionError, VoiceError
from agentaudio.sound.audio import Audio

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.lane import Lane
from agentaudio.model.step_audio_2.token2wav.batching import ChunkBatch
from agentaudio.model.step_audio_2.token2wav.chunks import FIRST_CHUNK, speech_tokens
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE, TOKEN_FRAMES, FlowConfig
from agentaudio.model.step_audio_2.token2wav.fixed import FixedChunks
from agentaudio.model.step_audio_2.token2wav.flow import Flow, FlowState
from agentaudio.model.step_audio_2.token2wav.hift import HiFT
from agentaudio.model.step_audio_2.token2wav.noise import SeededNoise
from agentaudio.model.step_audio_2.token2wav.source import HARMONICS, NOISE_WIDTH
from agentaudio.model.step_audio_2.token2wav.stream import MakeChunk, Prompt, SpeechStream
from agentaudio.model.step_audio_2.token2wav.weights import load_flow, load_hift

LONGEST_WHOLE = 1500
"""Tokens of one minute. Longer utterances are made as a stream, because attention takes quadratic time."""

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_MOST_STEPS = 100
MOST_STARTS_BYTES = 1 << 30
"""Memory for the start states of voices."""
_FLOW_NOISE, _SOURCE_NOISE = 0, 1

log = logging.getLogger(__name__)


class Token2Wav:
    """The speech decoder of Step-Audio 2: from tokens at 25 Hz and a timbre prompt to sound at 24 kHz.

    steps: Euler steps of the flow; fewer are faster and less exact (see benchmarks/token2wav.py)
    rows: most streams whose chunks are computed in one batch; see `ChunkBatch`

    Several threads may use one object. The start states of the most recently used voices are kept, up
    to 1 GB. At full size and ten steps, a start state takes 1.3 MB for each frame of the prompt, or half
    of that in half precision: 10 steps * 16 layers * 2 * 8 heads * 128 * 4 bytes.
    """

    def __init__(self, flow: Flow, vocoder: HiFT, *, steps: int = 10, rows: int = 1) -> None:
        self.flow = flow
        self.vocoder = vocoder
        self.steps = _checked_steps(steps)
        self._make: MakeChunk | None = ChunkBatch(flow, vocoder, rows) if rows > 1 else None
        self._lock = threading.Lock()
        self._starts: OrderedDict[tuple[str, int], FlowState] = OrderedDict()

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        steps: int = 10,
        compile: bool = False,
        rows: int = 1,
    ) -> Self:
        """Load `flow.yaml`, `flow.pt` and `hift.pt` from the `token2wav` folder of a checkpoint.

        device: None for CUDA if available, else the CPU
        dtype: of the flow's weights; None for float32. "float16" and "bfloat16" are for GPUs. The
            vocoder is always float32.
        compile: compile the flow's estimator on first use, which takes a minute; for GPUs

        rows: see the class

        Raises BackendError naming the file that is missing, cut short, corrupt or of another model;
        OptionError for an unavailable device or dtype and for steps out of range.
        """
        folder = Path(folder)
        cls.check(device, dtype, steps)
        place, kind = _device(device), _dtype(dtype)
        if not folder.is_dir():
            raise BackendError(f"no folder {folder}; give the token2wav folder of a Step-Audio 2 checkpoint")
        flow = load_flow(folder / "flow.pt", FlowConfig.read(folder / "flow.yaml"))
        vocoder = load_hift(folder / "hift.pt")
        if compile:
            # Lengths differ from chunk to chunk.
            flow.estimator.compile(dynamic=True)
        return cls(flow.to(place, kind), vocoder.to(place), steps=steps, rows=rows)

    @staticmethod
    def check(device: str | torch.device | None, dtype: str | torch.dtype | None, steps: int) -> None:
        """Raises OptionError for what `load` would refuse, before anything is read."""
        _device(device)
        _dtype(dtype)
        _checked_steps(steps)

    def prepare(self) -> None:
        """On a GPU, record CUDA graphs of the chunks of streams, which takes seconds; see `FixedChunks`.

        Decoders that compute chunks in batches have none.
        """
        if self.device.type == "cuda" and self._make is None:
            fixed = FixedChunks(self.flow, self.vocoder, steps=self.steps)
            if fixed.prepare():
                self._make = fixed

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        place: torch.device = self.vocoder.conv_pre.weight.device
        return place

    def synthesize(self, tokens: ArrayLike, prompt: Prompt, *, steps: int | None = None, seed: int = 0) -> Audio:
        """The sound of a whole utterance.

        tokens: speech tokens, 0 to 6560; others are left out, with a warning in the log
        prompt: the voice, a `TimbrePrompt`
        seed: of the noise; equal seeds give equal sound
        returns: 24 kHz mono, 960 samples for each token; empty for no tokens

        Raises BackendError for anything but integers, VoiceError for a prompt of another decoder,
        OptionError for steps or a seed out of range.
        """
        steps, seed = _checked_steps(self.steps if steps is None else steps), _checked_seed(seed)
        ids, dropped = speech_tokens(tokens, self.flow.config.vocab_size)
        if dropped:
            log.warning("%d of %d speech tokens have no sound and were left out", dropped, dropped + len(ids))
        if len(ids) > LONGEST_WHOLE:
            stream = self.stream(prompt, steps=steps, seed=seed)
            return Audio(np.concatenate([stream.feed(ids), stream.finish()]), SAMPLE_RATE)
        self._refuse_foreign(prompt)
        if not len(ids):
            return Audio(np.empty(0, np.float32), SAMPLE_RATE)
        return Audio(self._whole(ids, prompt, steps, seed).cpu().numpy(), SAMPLE_RATE)

    def stream(
        self, prompt: Prompt, *, first_chunk: int = FIRST_CHUNK, steps: int | None = None, seed: int = 0
    ) -> SpeechStream:
        """Begin an utterance whose tokens are still arriving; see `SpeechStream`.

        Raises VoiceError for a prompt of another decoder, OptionError for a first chunk, steps or
        a seed out of range.
        """
        count, seed = _checked_steps(self.steps if steps is None else steps), _checked_seed(seed)
        return SpeechStream(
            self.flow,
            self.vocoder,
            lambda voice: self.start(voice, count),
            prompt,
            flow_noise=SeededNoise(self.flow.config.output_size, seed, _FLOW_NOISE),
            source_noise=SeededNoise(NOISE_WIDTH, seed, _SOURCE_NOISE),
            first_chunk=first_chunk,
            make=self._make,
        )

    def start(self, prompt: Prompt, steps: int) -> FlowState:
        """The start state of streams in a voice. It does not depend on the seed; streams share it.

        Raises VoiceError for a prompt of another decoder.
        """
        key = (prompt.content_hash, steps)
        # Held while the state is made, so that other threads wait for it instead of making it too.
        with self._lock:
            if key not in self._starts:
                self._refuse_foreign(prompt)
                self._starts[key] = self._prepared(prompt, steps)
                while len(self._starts) > 1 and sum(s.nbytes for s in self._starts.values()) > MOST_STARTS_BYTES:
                    self._starts.popitem(last=False)
            self._starts.move_to_end(key)
            return self._starts[key]

    def forget(self, prompt: Prompt) -> None:
        """Drop the start states of a voice."""
        with self._lock:
            for key in [key for key in self._starts if key[0] == prompt.content_hash]:
                del self._starts[key]

    @torch.inference_mode()
    def _prepared(self, prompt: Prompt, steps: int) -> FlowState:
        noise = SeededNoise(self.flow.config.output_size, 0, _FLOW_NOISE).rows(0, len(prompt.mel)).T[None]
        with Lane(self.device):
            return self.flow.prepare(*self._tensors(prompt), noise, steps)

    @torch.inference_mode()
    def _whole(self, ids: ArrayLike, prompt: Prompt, steps: int, seed: int) -> Tensor:
        tokens = torch.as_tensor(ids, device=self.device)[None]
        known, frames = len(prompt.mel), TOKEN_FRAMES * tokens.shape[1]
        noise = SeededNoise(self.flow.config.output_size, seed, _FLOW_NOISE).rows(0, known + frames).T[None]
        mel = self.flow(tokens, *self._tensors(prompt), noise, steps)
        breath = SeededNoise(NOISE_WIDTH, seed, _SOURCE_NOISE).rows(0, frames).view(-1, HARMONICS)
        wave: Tensor = self.vocoder(mel, breath.to(self.device))[0]
        return wave

    def _tensors(self, prompt: Prompt) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (1, p) int64, mel (1, 2 p, 80) and embedding (1, 192) float32."""
        arrays = (
            np.asarray(prompt.tokens, np.int64),
            np.asarray(prompt.mel, np.float32),
            np.asarray(prompt.embedding, np.float32),
        )
        tokens, mel, embedding = (torch.from_numpy(np.array(one))[None].to(self.device) for one in arrays)
        return tokens, mel, embedding

    def _refuse_foreign(self, prompt: Prompt) -> None:
        config, count = self.flow.config, len(prompt.tokens)
        least = self.flow.encoder.ahead
        if count < least:
            raise VoiceError(f"a prompt of {count} tokens is too short, at least {least} are needed; use a longer clip")
        wanted = (TOKEN_FRAMES * count, config.output_size), (config.spk_embed_dim,)
        found = np.shape(prompt.mel), np.shape(prompt.embedding)
        if found != wanted or np.max(prompt.tokens) >= config.vocab_size or np.min(prompt.tokens) < 0:
            raise VoiceError(
                f"a prompt with mel {found[0]}, embedding {found[1]} and tokens up to {np.max(prompt.tokens)} is not "
                f"for this decoder, which takes {wanted[0]}, {wanted[1]} and {config.vocab_size - 1}; make it again"
            )


def _checked_steps(steps: int) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= _MOST_STEPS:
        raise OptionError(f"steps {steps!r} is out of range; give 1 to {_MOST_STEPS}, usually 10")
    return steps


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise OptionError(f"seed {seed!r} is out of range; give an integer, 0 or more")
    return seed


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        # The vocoder's phases need float64, which some devices lack.
        torch.empty(0, device=place, dtype=torch.float64)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise OptionError(f"device {device!r} cannot be used ({str(error).splitlines()[0]}); try 'cpu'") from error
    return place


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    if dtype is None:
        return torch.float32
    kind = _DTYPES.get(str(dtype).removeprefix("torch."))
    if kind is None:
        raise OptionError(f"the flow does not run in {dtype!r}; give one of: {', '.join(_DTYPES)}")
    return kind
