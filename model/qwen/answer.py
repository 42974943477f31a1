"""`Answer`: one answer of a network, generated in the calling thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch

from agentaudio.conversation import ToolSpec
from agentaudio.errors import AgentAudioError, BackendError
from agentaudio.model.generation.answer_text import AnswerText
from agentaudio.model.generation.decoding import Choice, Sampling, Watch, text_options
from agentaudio.model.generation.line import CheckStop, Stopped
from agentaudio.model.qwen.network import Network
from agentaudio.model.qwen.prompt import Written
from agentaudio.model.speech_lm import AudioDelta, Delta, End, GenerateOptions
from agentaudio.sound.audio import Audio

SPEECH_RATE_HZ = 24_000
SPEECH_TOKENS_PER_S = 50
TALKER = Sampling(temperature=0.9, top_p=0.8, top_k=40)
"""The authors' settings for speech tokens; transformers applies their repetition penalty."""


class _TextOnly(Exception):
    """The text has ended, and its tokens are not to be spoken as they are."""


class _Silent(Exception):
    """The sound ended before it began; the vocoder needs at least one token."""


@dataclass(frozen=True, slots=True)
class Request:
    """speaker: of the sound; None for an answer without sound

    max_tokens: of an answer where the options have no limit
    """

    prompt: Written
    tools: Sequence[ToolSpec]
    options: GenerateOptions
    speaker: str | None
    max_tokens: int
    longest_speech_s: float


class Answer:
    """Generates an answer: its text token by token, then its sound.

    emit: takes the deltas, `End` last
    check_stop: raises when the answer is not wanted any more; called before each token
    """

    def __init__(
        self, network: Network, request: Request, emit: Callable[[Delta], None], check_stop: CheckStop
    ) -> None:
        self._network, self._request, self._emit, self._check_stop = network, request, emit, check_stop
        self._usage: dict[str, float] = {}

    def run(self) -> None:
        """Raises BackendError when the network fails or the conversation does not fit into its context."""
        try:
            with torch.inference_mode():
                self._run()
        except (AgentAudioError, Stopped):
            raise
        except torch.OutOfMemoryError as error:
            raise BackendError("the device's memory is full; shorten the conversation") from error
        except Exception as error:
            raise BackendError(f"{self._network.family.name} failed: {error!r}") from error

    def _run(self) -> None:
        network, options = self._network, self._request.options
        inputs = network.inputs(self._request.prompt)
        length = inputs["input_ids"].shape[1]
        limit = min(options.max_tokens or self._request.max_tokens, network.context - length)
        if limit < 1:
            raise BackendError(
                f"the conversation takes {length} tokens, and the context of {network.family.name!r} has "
                f"{network.context}; begin a new session"
            )
        text = AnswerText(
            network.decode, network.ends, limit, tools=self._request.tools, stop=options.stop, emit=self._emit
        )
        choice = Choice(network.sampling.with_options(options), network.device, seed=options.seed)
        if self._request.speaker is None:
            network.writer.generate(**inputs, **self._text_options(text.take, choice, limit))
        else:
            self._with_sound(inputs, text, choice, limit)
        self._usage |= {"input_tokens": length, "output_tokens": len(text.tokens)}
        self._emit(End(text.reason or "length", self._usage))  # type: ignore[arg-type]

    def _with_sound(self, inputs: dict[str, Any], text: AnswerText, choice: Choice, limit: int) -> None:
        """Text, then sound of the same hidden states. Words of a text that is not spoken whole are read anew."""

        def take(token: int) -> bool:
            ends = text.take(token)
            if ends and not (text.whole and text.words.strip() and len(text.tokens) > 1):
                raise _TextOnly
            return ends

        try:
            self._speak(inputs, self._text_options(take, choice, limit))
            return
        except _TextOnly:
            if not text.words.strip():
                return
        tokens = [*self._network.encode(text.words.strip()), min(self._network.ends)]
        given = iter(tokens)
        next(given)
        forced = Choice(Sampling(), self._network.device, forced=tokens)
        self._speak(inputs, self._text_options(lambda _: next(given, None) is None, forced, len(tokens)))

    def _speak(self, inputs: dict[str, Any], text_options: dict[str, Any]) -> None:
        whole, request = self._network.whole, self._request
        talker = whole.config.talker_config
        ends = [talker.tts_codec_pad_token_id, talker.tts_codec_end_token_id]
        codes = 0

        def take(code: int) -> bool:
            nonlocal codes
            self._check_stop()
            if code in ends and not codes:
                raise _Silent
            codes += code not in ends
            return False

        below = min(whole.config.token2wav_config.dit_config.num_embeds, *ends)
        choice = Choice(TALKER, self._network.device, seed=request.options.seed, below=below, also=ends)
        with ExitStack() as undo:
            self._watch_vocoder(undo)
            try:
                _, wave = whole.generate(
                    **inputs, **{f"thinker_{key}": one for key, one in text_options.items()}, speaker=request.speaker,
                    talker_max_new_tokens=max(1, round(request.longest_speech_s * SPEECH_TOKENS_PER_S)),
                    talker_do_sample=False, talker_temperature=None, talker_top_k=None, talker_top_p=None,
                    talker_eos_token_id=ends, talker_logits_processor=[choice], talker_stopping_criteria=[Watch(take)],
                )  # fmt: skip
            except _Silent:
                return
        self._usage["speech_tokens"] = codes
        self._emit(AudioDelta(Audio(wave.float().cpu().numpy(), SPEECH_RATE_HZ)))

    def _watch_vocoder(self, undo: ExitStack) -> None:
        """Until `undo` closes, the vocoder stops between two steps, and its noise follows the seed."""
        vocoder, device, seed = self._network.whole.token2wav, self._network.device, self._request.options.seed

        def before(*_: Any) -> None:
            if seed is not None:  # it draws from torch's global generator
                undo.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
                torch.manual_seed(seed % 2**63)

        def between(*_: Any) -> None:
            self._check_stop()

        undo.callback(vocoder.register_forward_pre_hook(before).remove)
        undo.callback(vocoder.code2wav_dit_model.register_forward_pre_hook(between).remove)

    def _text_options(self, take: Callable[[int], bool], choice: Choice, limit: int) -> dict[str, Any]:
        def checked(token: int) -> bool:
            self._check_stop()
            return take(token)

        return text_options(choice, checked, limit=limit, ends=self._network.ends)
