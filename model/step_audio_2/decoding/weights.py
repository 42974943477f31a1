"""The model and its limits: reads prompts, and prepares the decoding of answers."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.step_audio_2.decoding.batching import DecodeBatch
from agentaudio.model.step_audio_2.decoding.buckets import ROWS
from agentaudio.model.step_audio_2.decoding.hearing import encoded
from agentaudio.model.step_audio_2.decoding.hearing_ahead import HeardAhead, piece_encoder
from agentaudio.model.step_audio_2.decoding.passes import Passes
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache, States
from agentaudio.model.step_audio_2.decoding.runtime import Wanted
from agentaudio.model.step_audio_2.decoding.schedule import MAX_ROWS
from agentaudio.model.step_audio_2.language.segments import Prompt, SoundPosition
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.tokens import Vocabulary

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

PREFILL_CHUNK = 2048
"""Prompt tokens read in one pass. It bounds the memory of a pass, and the time until `stop` takes effect."""

log = logging.getLogger(__name__)


class Weights:
    """The runtime of torch: the model, its limits and its decode batch, shared by all generations.

    device_lock: held during each pass, for devices that allow one thread at a time
    compiled: whether `prepare` compiles; None for on a GPU that holds the whole model, not quantized
    max_rows: answers that decode together; further ones wait for a row

    decoding: how tokens are decoded: "CUDA graphs", "compiled", or "eager" and why
    context: positions that a prompt and its answer may take together
    size: rows of the vocabulary, the length of the logits
    batch: decodes the tokens of all generations
    ahead: works on sounds while they arrive
    """

    def __init__(
        self,
        model: StepAudio2ForCausalLM,
        vocabulary: Vocabulary,
        device_lock: AbstractContextManager[object],
        *,
        compiled: bool | None = None,
        max_rows: int = MAX_ROWS,
    ) -> None:
        obstacle = _obstacle(model, compiled)
        self.decoding = f"eager, because {obstacle or 'warm_up was not called'}"
        self._compiles = obstacle is None
        self.model = model
        self.vocabulary = vocabulary
        model.config.audio_start_token_id = vocabulary.ids.audio_start
        model.config.audio_patch_token_id = vocabulary.ids.audio_patch
        self.context: int = model.config.text_config.max_position_embeddings
        self.size: int = model.config.text_config.vocab_size
        self._device_lock = device_lock
        # No sound follows an <audio_start> that the model generates, so no later prompt could hold it.
        self.never = (vocabulary.ids.audio_start,)
        self.batch = DecodeBatch(Passes(model, max_rows, self.never), device_lock)
        together = model.config.pieces_together
        self.ahead = HeardAhead(None if together else piece_encoder(model.encode_audio, self.device, device_lock))
        # The batch's thread would keep the model in memory.
        weakref.finalize(self, self.batch.close)

    def prepare(self) -> None:
        """Compile decoding for all sizes that answers may have, unless there is an obstacle; see `decoding`.

        Afterwards nothing is compiled or allocated while answers are decoded. A failure is logged, and
        decoding stays eager. Raises BackendError when the batch is closed.
        """
        on_gpu = self.device.type == "cuda"
        if not self._compiles:
            log.log(logging.WARNING if on_gpu else logging.INFO, "decoding is %s", self.decoding)
        if not self._compiles or self.batch.compiled:
            return
        try:
            self.batch.prepare(_rows_that_fit(self.model, self.context), self.context)
            self.decoding = "CUDA graphs" if on_gpu else "compiled"
        except BackendError:
            raise
        except Exception as failure:
            self._compiles = False
            self.decoding = f"eager, because compiling failed: {failure!r}"
            log.warning("decoding is %s", self.decoding, exc_info=True)

    @property
    def device(self) -> torch.device:
        """The device of token ids and logits."""
        embedding: Tensor = self.model.get_input_embeddings().weight
        return embedding.device

    def prefix_cache(self, capacity: int | None) -> PrefixCache:
        """What keeps states. capacity: positions; None for twice the context"""
        return PrefixCache(2 * self.context if capacity is None else capacity)

    def seat(self, wanted: Wanted) -> AbstractContextManager[object]:
        """Any number of generations may have states."""
        return nullcontext()

    def interrupt(self) -> None:
        """Passes are never broken off."""

    def close(self) -> None:
        """Stop decoding and free the rows, after the pass that is running."""
        self.batch.close()
        self.batch.wait_closed()

    def read(self, prompt: Prompt, states: States, wanted: Wanted) -> Tensor | None:
        """Read the part of the prompt that the states do not hold yet; only the sounds in that part are encoded.

        wanted: asked before each pass
        returns: (vocab_size,) logits of the token after the prompt; None when it is no longer wanted
        """
        rows = encoded(
            prompt,
            len(states),
            wanted,
            self.model.encode_audio,
            device=self.device,
            lock=self._device_lock,
            together=self.model.config.pieces_together,
            ahead=self.ahead,
        )
        logits = None
        while wanted():
            begin = len(states)
            if begin == len(prompt.ids):
                return logits
            end = _cut(prompt, min(begin + PREFILL_CHUNK, len(prompt.ids)))
            heard = [rows.pop(0) for number in prompt.ids[begin:end] if number == self.vocabulary.ids.audio_start]
            logits = self._forward(prompt.ids[begin:end], states, heard)
            states.positions += prompt.positions[begin:end]
        return None

    def _forward(self, ids: Sequence[int], states: States, heard: Sequence[Tensor]) -> Tensor:
        with self._device_lock:
            output = self.model(
                input_ids=torch.tensor([ids], device=self.device),
                past_key_values=states.cache,
                use_cache=True,
                logits_to_keep=1,
                audio_embeds=list(heard) or None,
            )
        logits: Tensor = output.logits[0, -1]
        return logits


def _obstacle(model: StepAudio2ForCausalLM, compiled: bool | None) -> str | None:
    """Why decoding is not to be compiled; None if it is."""
    if compiled is False:
        return "compiled is False"
    if getattr(model, "is_quantized", False):
        return "the weights are quantized"
    if len(set(getattr(model, "hf_device_map", {"": 0}).values())) > 1:
        return "the layers are on several devices"
    if compiled is None and model.device.type != "cuda":
        return f"the device is {model.device.type}"
    return None


def _rows_that_fit(model: StepAudio2ForCausalLM, context: int) -> int:
    """Number of answers whose keys and values take at most half of a GPU's free memory; 8 on other devices.

    Raises torch.OutOfMemoryError if there is none.
    """
    if model.device.type != "cuda":
        return ROWS[-1]
    config = model.config.text_config
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    row = 2 * config.num_hidden_layers * config.num_key_value_heads * size * model.dtype.itemsize * context
    free = torch.cuda.mem_get_info(model.device)[0]
    fitting = [rows for rows in ROWS if rows * row <= free // 2]
    if not fitting:
        raise torch.OutOfMemoryError(f"keys and values need {2 * row / 1e9:.1f} GB free, there are {free / 1e9:.1f}")
    return fitting[-1]


def _cut(prompt: Prompt, end: int) -> int:
    """The last position up to `end` where the prompt may be cut; a piece of sound is read in one pass."""
    while end < len(prompt.ids) and isinstance(prompt.positions[end], SoundPosition):
        end -= 1
    # If a sound was cut, this is one past its <audio_start>, which is read with the sound.
    return end
