"""Prompts from chat requests, in token ids.

A Jinja template can only write text, in which `<|EOT|>` that a user said and the token are the same, and which cannot
put speech tokens between the bytes of a character. Ids can, and are those of our native model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer
from transformers.utils import cached_file
from vllm.exceptions import VLLMValidationError
from vllm.renderers.base import BaseRenderer
from vllm.renderers.chat_utils import parse_chat_messages, parse_chat_messages_async
from vllm.renderers.inputs.preprocess import parse_dec_only_prompt
from vllm.utils.async_utils import make_async

from agentaudio.errors import AgentAudioError
from agentaudio.model.step_audio_2.language.chat_request import request_turns
from agentaudio.model.step_audio_2.language.segments import TextSegment, assemble
from agentaudio.model.step_audio_2.network.features import Float, at_16_khz
from agentaudio.model.step_audio_2.tokens import BpeVocabulary
from agentaudio.sound.audio import Audio

_FORMAT = "openai"
"""Parts stay apart and in order."""


class StepAudio2Renderer(BaseRenderer[Any]):
    """Writes the prompts of Step-Audio 2."""

    def __init__(self, config: Any, tokenizer: Any) -> None:
        super().__init__(config, tokenizer)
        self._vocabulary = BpeVocabulary(_tokenizer(self.model_config, tokenizer))
        self._prompt_async = make_async(self._prompt, executor=self._executor)

    def render_messages(self, messages: Sequence[Any], params: Any) -> tuple[list[Any], Any]:
        """The messages as vLLM reads them, and the prompt of a chat request."""
        sent = [_plain(message) for message in messages]
        parsed, media, _ = parse_chat_messages(sent, self.model_config, _FORMAT, **_options(params))
        return parsed, self._prompt(sent, parsed, media, params)

    async def render_messages_async(self, messages: Sequence[Any], params: Any) -> tuple[list[Any], Any]:
        """The same; sound is fetched meanwhile."""
        sent = [_plain(message) for message in messages]
        parsed, media, _ = await parse_chat_messages_async(sent, self.model_config, _FORMAT, **_options(params))
        return parsed, await self._prompt_async(sent, parsed, media, params)

    def _prompt(
        self, sent: Sequence[Mapping[str, Any]], parsed: Sequence[Mapping[str, Any]], media: Any, params: Any
    ) -> Any:
        options = params.get_apply_chat_template_kwargs()
        try:
            turns = request_turns(
                _with_sound(sent, parsed, (media or {}).get("audio") or ()),
                self._vocabulary,
                tools=options.get("tools") or (),
                add_generation_prompt=bool(options.get("add_generation_prompt")),
                continue_final_message=bool(options.get("continue_final_message")),
            )
            prompt = assemble(turns, self._vocabulary)
        except AgentAudioError as error:
            raise VLLMValidationError(str(error), parameter="messages") from error
        ids: list[int] = []
        pieces: list[Float] = []
        whole: dict[int, Float] = {}
        for segment in prompt.segments:
            if isinstance(segment, TextSegment) or not segment.n_tokens:
                ids += segment.ids
                continue
            # vLLM writes as many patches as the piece has rows.
            ids += (segment.ids[0], segment.ids[1], segment.ids[-1])
            if (key := id(segment.audio)) not in whole:
                whole[key] = at_16_khz(segment.audio)
            pieces.append(whole[key][segment.start : segment.start + segment.samples])
        made = parse_dec_only_prompt(ids)
        if pieces:
            made["multi_modal_data"] = {"audio": pieces}
        return made


def _tokenizer(config: Any, tokenizer: Any) -> Tokenizer:
    """The checkpoint's own tokenizer: the one of transformers is changed while it is loaded and used."""
    revision = config.tokenizer_revision
    path = cached_file(
        config.tokenizer, "tokenizer.json", revision=revision, _raise_exceptions_for_missing_entries=False
    )
    return Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()) if path is None else Tokenizer.from_file(path)


def _options(params: Any) -> dict[str, Any]:
    return {"media_io_kwargs": params.media_io_kwargs, "mm_processor_kwargs": params.mm_processor_kwargs}


def _plain(message: Any) -> dict[str, Any]:
    """A message that can be read twice: pydantic gives iterators in place of lists."""
    found = dict(message) if isinstance(message, Mapping) else message.model_dump()
    for name in ("content", "tool_calls"):
        if found.get(name) is not None and not isinstance(found[name], str | list):
            found[name] = list(found[name])
    return found


def _with_sound(
    sent: Sequence[Mapping[str, Any]], parsed: Sequence[Mapping[str, Any]], sounds: Sequence[Any]
) -> list[dict[str, Any]]:
    """The messages with their sounds in place.

    sent: as they came, with fields that vLLM drops
    parsed: as vLLM read them, with the places of the sounds; it joins the texts of a tool's result
    """
    waiting = iter(sounds)
    found = []
    for raw, read in zip(sent, parsed, strict=True):
        message = {**raw, "tool_calls": read.get("tool_calls")}
        content = read.get("content")
        if isinstance(content, list) and raw["role"] != "tool":
            parts = [_sound(next(waiting, None)) if part.get("type") == "audio" else part for part in content]
            message["content"] = raw["content"] if isinstance(raw["content"], str) else parts
        found.append(message)
    return found


def _sound(sound: Any) -> dict[str, Any]:
    if sound is None:
        raise VLLMValidationError("a sound was not sent with the request", parameter="messages")
    samples, rate = sound
    return {"type": "audio", "audio": Audio(samples, round(rate))}
