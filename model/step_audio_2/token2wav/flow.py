"""From speech tokens to a mel by flow matching: an ODE, solved in a few steps, from noise to speech."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.config import TOKEN_FRAMES, FlowConfig
from agentaudio.model.step_audio_2.token2wav.conformer import ConformerEncoder, EncoderState
from agentaudio.model.step_audio_2.token2wav.estimator import Estimator

_GUIDED = 2
"""Rows of a batch for classifier-free guidance: with tokens and voice, and without."""


@dataclass(frozen=True)
class FlowState:
    """The flow's state: a voice and the chunks so far. Its tensors are never modified.

    speaker: (1, 80)
    prompt_tokens: number of tokens in the voice's prompt
    encoder: see `EncoderState`
    past: for each Euler step (depth, 2, heads, m, 2 * head_dim), keys and values of the estimator,
        newest chunk first, with guidance and without
    memory: for each Euler step (depth, 2, 2 * hidden, 2), last inputs of its convolutions
    """

    speaker: Tensor
    prompt_tokens: int
    encoder: EncoderState
    past: tuple[Tensor, ...]
    memory: tuple[Tensor, ...]

    @property
    def frames(self) -> int:
        """m, the number of frames that the estimator keeps."""
        return int(self.past[0].shape[-2])

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        encoder = self.encoder
        tensors = [*self.past, *self.memory, *encoder.token_keys, *encoder.frame_keys]
        return sum(one.nbytes for one in [*tensors, encoder.lookahead, encoder.upsampler, self.speaker])

    def bounded(self, recent_frames: int, recent_tokens: int | None) -> FlowState:
        """A state of bounded size, for streams of any length.

        recent_frames: once `past` is longer than the prompt by this, only its first `prompt` and its last
            `recent_frames` frames are kept. New frames come first, so these are the newest frames of the
            stream and the end of the prompt, as in the reference.
        recent_tokens: tokens that the encoder keeps besides those of the prompt; None for all
        """
        prompt, past, encoder = TOKEN_FRAMES * self.prompt_tokens, self.past, self.encoder
        if self.frames > prompt + recent_frames:
            past = tuple(torch.cat((one[..., :prompt, :], one[..., -recent_frames:, :]), -2) for one in past)
        if recent_tokens is not None:
            encoder = encoder.bounded(self.prompt_tokens, recent_tokens)
        return replace(self, past=past, encoder=encoder)


class Flow(nn.Module):
    """From tokens at 25 Hz, a voice and noise to a log-mel at 50 Hz. The ODE is float32, whatever the weights are.

    Source: the reference's CausalMaskedDiffWithXvec and CausalConditionalCFM; optimal-transport
    flow matching, arXiv:2210.02747; classifier-free guidance, arXiv:2207.12598.
    """

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.input_embedding = nn.Embedding(config.vocab_size, config.input_size)
        self.spk_embed_affine_layer = nn.Linear(config.spk_embed_dim, config.output_size)
        self.encoder = ConformerEncoder(config.encoder)
        self.encoder_proj = nn.Linear(config.encoder.output_size, config.output_size)
        self.decoder = nn.ModuleDict({"estimator": Estimator(config.estimator)})

    @property
    def estimator(self) -> nn.Module:
        return self.decoder["estimator"]

    def forward(
        self, tokens: Tensor, prompt_tokens: Tensor, prompt_mel: Tensor, embedding: Tensor, noise: Tensor, steps: int
    ) -> Tensor:
        """The mel of a whole utterance; all frames attend to each other.

        tokens: (1, n) int64; prompt_tokens: (1, p) int64; ids below 0 count as 0, as in the reference
        prompt_mel: (1, 2 p, 80); embedding: (1, 192), of any norm
        noise: (1, 80, 2 p + 2 n) float32, standard normal
        returns: (1, 80, 2 n) float32
        """
        ids = torch.cat((prompt_tokens, tokens), 1).clamp(min=0)
        hidden, _ = self.encoder(self.input_embedding(ids), self.encoder.start(), last=True)
        mu = self.encoder_proj(hidden)
        known = functional.pad(prompt_mel.to(mu.dtype), (0, 0, 0, mu.shape[1] - prompt_mel.shape[1]))
        _, memory = self.estimator.start(_GUIDED)
        mel, _, _ = self.solve(mu, self.speaker(embedding), known, noise, (None,) * steps, (memory,) * steps)
        return mel[..., prompt_mel.shape[1] :]

    def prepare(
        self, prompt_tokens: Tensor, prompt_mel: Tensor, embedding: Tensor, noise: Tensor, steps: int
    ) -> FlowState:
        """The start state of streams in one voice.

        prompt_tokens: (1, p) int64, at least as many as the encoder looks ahead
        prompt_mel: (1, 2 p, 80); embedding: (1, 192); noise: (1, 80, 2 p) float32
        """
        past, memory = self.estimator.start(_GUIDED)
        state = FlowState(
            speaker=self.speaker(embedding),
            prompt_tokens=prompt_tokens.shape[1],
            encoder=self.encoder.start(),
            past=(past,) * steps,
            memory=(memory,) * steps,
        )
        ahead = prompt_tokens[:, : self.encoder.ahead]
        _, state = self._chunk(torch.cat((prompt_tokens, ahead), 1), state, noise, prompt_mel, last=False)
        return state

    def chunk(self, tokens: Tensor, state: FlowState, noise: Tensor, last: bool) -> tuple[Tensor, FlowState]:
        """The mel of the next tokens of a stream.

        tokens: (1, n + ahead) int64; the last `ahead` are look-ahead and come again in the next chunk;
            (1, n) for the last chunk
        noise: (1, 80, 2 n) float32
        returns: (1, 80, 2 n) float32 and the state after it
        """
        return self._chunk(tokens, state, noise, None, last)

    def chunks(
        self, tokens: Sequence[Tensor], states: Sequence[FlowState], noises: Sequence[Tensor], last: bool
    ) -> tuple[Tensor, list[FlowState]]:
        """The mel of the next tokens of several streams, equally many in each: `chunk` in one batch.

        tokens, states, noises, last: as for `chunk`, of each stream
        returns: (streams, 80, 2 n) float32 and the states after it, which share no memory. The mels differ from those
            of `chunk` as far as arithmetic depends on the size of a batch; see `token2wav.batching`.
        """
        mus, encoders = [], []
        for ids, state in zip(tokens, states, strict=True):
            # Relative positions depend on the length of each stream's past, and the estimator takes most of the time.
            mu, encoder = self.encoded(ids, state.encoder, last)
            mus.append(mu)
            encoders.append(encoder)
        mu = torch.cat(mus)
        frames, longest = [state.frames for state in states], max(state.frames for state in states)
        mask = None
        if min(frames) < longest:
            count = torch.tensor(_GUIDED * [mu.shape[1] + one for one in frames], device=mu.device)
            mask = (torch.arange(mu.shape[1] + longest, device=mu.device) < count[:, None])[:, None, None]
        steps = len(states[0].past)
        past = tuple(_rows([_padded(state.past[k], longest) for state in states]) for k in range(steps))
        memory = tuple(_rows([state.memory[k] for state in states]) for k in range(steps))
        speaker = torch.cat([state.speaker for state in states])
        noise = torch.cat(list(noises))
        mel, pasts, memories = self.solve(mu, speaker, torch.zeros_like(mu), noise, past, memory, mask)
        after = []
        for row, (state, encoder) in enumerate(zip(states, encoders, strict=True)):
            own = slice(row, None, len(states))
            kept = tuple(one[:, own, :, : mu.shape[1] + state.frames].contiguous() for one in pasts)
            behind = tuple(one[:, own].contiguous() for one in memories)
            after.append(replace(state, encoder=encoder, past=kept, memory=behind))
        return mel, after

    def encoded(self, tokens: Tensor, state: EncoderState, last: bool) -> tuple[Tensor, EncoderState]:
        """The condition of the ODE for the next tokens of a stream, (1, 2 n, 80), and the encoder's state after them.

        tokens, last: as for `chunk`
        """
        hidden, after = self.encoder(self.input_embedding(tokens), state, last)
        return self.encoder_proj(hidden), after

    def _chunk(
        self, tokens: Tensor, state: FlowState, noise: Tensor, known: Tensor | None, last: bool
    ) -> tuple[Tensor, FlowState]:
        mu, encoder = self.encoded(tokens, state.encoder, last)
        known = torch.zeros_like(mu) if known is None else known.to(mu.dtype)
        mel, past, memory = self.solve(mu, state.speaker, known, noise, state.past, state.memory)
        return mel, replace(state, encoder=encoder, past=past, memory=memory)

    def speaker(self, embedding: Tensor) -> Tensor:
        """Project the speaker embedding, (1, 192) of any norm, to (1, 80)."""
        direction = functional.normalize(embedding.float(), dim=1, eps=1e-12)
        projected: Tensor = self.spk_embed_affine_layer(direction.to(self.spk_embed_affine_layer.weight.dtype))
        return projected

    def modulations(self, steps: int) -> Tensor:
        """What the estimator derives from the times of the steps; see `Estimator.modulations`."""
        times = torch.tensor(_grid(steps)[:-1], device=self.input_embedding.weight.device)
        modulations: Tensor = self.decoder["estimator"].modulations(times)
        return modulations

    def solve(
        self,
        mu: Tensor,
        speaker: Tensor,
        known: Tensor,
        noise: Tensor,
        past: tuple[Tensor | None, ...],
        memory: tuple[Tensor, ...],
        mask: Tensor | None = None,
        modulations: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Solve the ODE by Euler's method on a cosine grid. Returns the mel, and `past` and `memory` after it.

        mu, known: (rows, T, 80); noise and result: (rows, 80, T); speaker: (rows, 80)
        past, memory, mask: of the rows with guidance, then of those without
        modulations: of so many steps, if they are at hand
        """
        steps, rate = len(past), self.config.inference_cfg_rate
        grid = _grid(steps)
        modulations = self.modulations(steps) if modulations is None else modulations
        condition = torch.cat((mu, speaker[:, None].expand_as(mu), known), -1)
        condition = torch.cat((condition, torch.zeros_like(condition)))
        x = noise.to(mu.device, torch.float32).transpose(1, 2)
        pasts, memories = [], []
        for k in range(steps):
            inputs = torch.cat((x.to(mu.dtype).repeat(_GUIDED, 1, 1), condition), -1)
            velocity, after, behind = self.estimator(inputs, modulations[k], past[k], memory[k], mask)
            guided, free = velocity.float().chunk(2)
            x = x + (grid[k + 1] - grid[k]) * ((1 + rate) * guided - rate * free)
            pasts.append(after)
            memories.append(behind)
        return x.transpose(1, 2), tuple(pasts), tuple(memories)


def _grid(steps: int) -> list[float]:
    """The times between which the steps go, from 0 to 1."""
    return [1 - math.cos(0.5 * math.pi * k / steps) for k in range(steps + 1)]


def _padded(past: Tensor, frames: int) -> Tensor:
    """(depth, 2, heads, m, size) with zeros up to `frames`."""
    return functional.pad(past, (0, 0, 0, frames - past.shape[-2]))


def _rows(parts: Sequence[Tensor]) -> Tensor:
    """(depth, 2, ...) of each stream as (depth, 2 * streams, ...): all with guidance, then all without."""
    return torch.cat([part[:, half : half + 1] for half in range(_GUIDED) for part in parts], 1)
