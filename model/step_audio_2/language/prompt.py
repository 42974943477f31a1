"""`PromptBuilder`: from conversations to the prompts of Step-Audio 2."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    Message,
    Part,
    SpeechPart,
    TextPart,
    ToolCall,
    ToolSpec,
)
from agentaudio.errors import AudioError, ConversationError
from agentaudio.model.step_audio_2.language.dialect import Dialect, Translation, step_audio_2
from agentaudio.model.step_audio_2.language.interleave import END_THINK, THINK, interleave
from agentaudio.model.step_audio_2.language.segments import (
    CountTokens,
    Item,
    Prompt,
    Tokens,
    Turn,
    assemble,
    audio_tokens,
)
from agentaudio.model.step_audio_2.language.tool_calls import call_opening, written_call
from agentaudio.model.step_audio_2.tokens import CODEC, Vocabulary, text_of

Reply = Literal["speech", "text", "think", "continue"]
_Said = tuple[str, tuple[int, ...], tuple[str, ...]]


def schemas(tools: Iterable[ToolSpec]) -> str:
    """The content of a `tool_json_schemas` turn: the tools as OpenAI function specs, in JSON."""
    return json.dumps(
        [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in tools
        ],
        ensure_ascii=False,
    )


class PromptBuilder:
    """Makes the prompts of one model, for any number of conversations.

    The prompt of a later turn begins with the prompt of the earlier turn and the ids generated after
    it, so that their states can be reused. To this end `remember` stores the generated ids of an
    answer by its content. Other answers (of a stored conversation, of another model, or cut where the
    listener stopped hearing) are tokenised from their text and their speech tokens; speech tokens of
    another codec are left out.

    dialect: how tools are translated, where a call of `build` names no other
    system: system message of conversations without one; None for no system message
    count_tokens: from the 16 kHz samples of a piece of sound to its number of tokens
    remembered: number of answers whose ids are kept; the least recently used are dropped first
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        dialect: Dialect = step_audio_2(),
        system: str | None = None,
        count_tokens: CountTokens = audio_tokens,
        remembered: int = 512,
    ) -> None:
        self._vocabulary = vocabulary
        self._dialect = dialect
        self._system = system
        self._count_tokens = count_tokens
        self._capacity = remembered
        self._generated: OrderedDict[_Said, tuple[int, ...]] = OrderedDict()

    def translation(
        self, conversation: Conversation, tools: Sequence[ToolSpec] = (), *, dialect: Dialect | None = None
    ) -> Translation:
        """The translation of these tools, and of tools that the conversation has called."""
        return (dialect or self._dialect).translation(conversation, tools)

    def build(
        self,
        conversation: Conversation,
        tools: Sequence[ToolSpec] = (),
        *,
        reply: Reply = "speech",
        dialect: Dialect | None = None,
    ) -> Prompt:
        """The prompt of a conversation and the beginning of a reply.

        reply: "speech" and "text" begin an answer, "think" a thought (see `after_thought`);
            "continue" continues the last message, which must be the assistant's

        Raises ConversationError for a message that a prompt cannot hold: a part that does not belong to
        its role, speech tokens out of range, arguments that are not JSON, nothing to continue.
        """
        turns = self._turns(conversation, self.translation(conversation, tools, dialect=dialect))
        ids = self._vocabulary.ids
        if reply == "continue":
            if not conversation.messages or conversation.messages[-1].role != "assistant":
                raise ConversationError("there is no answer to continue; the last message must be the assistant's")
            turns[-1] = replace(turns[-1], closed=False)
            return self._assembled(turns)
        if reply == "think":
            thinking = Turn("assistant", (f"\n{THINK}\n",), joined=True, closed=False)
            return replace(self._assembled([*turns, thinking]), mode="think")
        lead = (ids.tts_start,) if reply == "speech" else ()
        opened = Turn("assistant", (Tokens(lead),) if lead else (), closed=False)
        return replace(self._assembled([*turns, opened]), mode=reply, lead=lead)

    def call_opening(self, name: str = "") -> tuple[int, ...]:
        """The ids that a call begins with. name: the model's name of the tool; "" for any"""
        ids = self._vocabulary.ids
        return (ids.tool_call, *self._vocabulary.encode(call_opening(name)))

    def after_thought(self, prompt: Prompt, generated: Sequence[int], *, speak: bool = True) -> Prompt:
        """The prompt of the answer after a thought. Ids after `</think>` are dropped.

        prompt: of the thought
        generated: ids of the thought; `</think>` is added if it is missing
        """
        ids, end = self._vocabulary.ids, END_THINK.encode()
        thought = [number for number in generated if ids.is_text(number)]
        written, kept, tail = b"", len(thought), b"\n" + end
        starts: list[int] = []
        for position, number in enumerate(thought):
            starts.append(len(written))
            written += self._vocabulary.token_bytes(number)
            if (found := written.find(end)) >= 0:
                # If the last token holds more than the tag, the tag is tokenised again.
                whole = len(written) == found + len(end)
                kept = position + 1 if whole else sum(start <= found for start in starts) - 1
                tail = b"" if whole else written[starts[kept] : found + len(end)]
                break
        lead = (ids.tts_start,) if speak else ()
        more = [*thought[:kept], *self._vocabulary.encode(f"{tail.decode('utf-8', 'replace')}\n\n"), *lead]
        return prompt.extended(more, self._vocabulary, mode="speech" if speak else "text", lead=lead)

    def remember(
        self,
        prompt: Prompt,
        generated: Iterable[int],
        *,
        text: str,
        codes: Sequence[int] = (),
        call_ids: Sequence[str] = (),
    ) -> None:
        """Store the ids of an answer for later prompts. An answer that holds a thought is not stored.

        prompt: what the answer follows
        generated: its ids; an unfinished block of speech or call is closed
        text, codes, call_ids: its content in the conversation, by which it is found
        """
        ids = self._vocabulary.ids
        kept: list[int] = []
        speaking, calling = prompt.mode == "speech", False
        for number in generated:
            if number in ids.stop:
                break
            kept.append(number)
            speaking = number == ids.tts_start or (speaking and number not in (ids.tts_end, ids.tool_call))
            calling = number == ids.tool_call or (calling and number not in (ids.tool_call_end, ids.tts_start))
        if prompt.mode == "think" or text_of(self._vocabulary, kept).lstrip().startswith(THINK):
            return
        # Close what an answer that was cut off had begun.
        kept += [ids.tts_end] * speaking + [ids.tool_call_end] * calling
        said = (text.strip(), tuple(codes), tuple(call_ids))
        self._generated[said] = (*prompt.lead, *kept)
        self._generated.move_to_end(said)
        while len(self._generated) > self._capacity:
            self._generated.popitem(last=False)

    def generated(self, message: Message) -> tuple[int, ...] | None:
        """The ids of an answer that `remember` has stored; None for another answer."""
        speech = [part for part in message.parts if isinstance(part, SpeechPart)]
        said = (
            message.text.strip(),
            tuple(code for part in speech for code in own_codes(part)),
            tuple(call.id for call in message.tool_calls),
        )
        if (ids := self._generated.get(said)) is not None:
            self._generated.move_to_end(said)
        return ids

    def _assembled(self, turns: Sequence[Turn]) -> Prompt:
        return assemble(turns, self._vocabulary, self._count_tokens)

    def _turns(self, conversation: Conversation, translation: Translation) -> list[Turn]:
        messages = list(conversation)
        turns: list[Turn] = []
        if messages and messages[0].role == "system":
            turns += self._message(messages.pop(0), translation)
        elif self._system is not None:
            turns.append(Turn("system", (self._system,), joined=True))
        if specs := translation.specs:
            turns.append(Turn("tool_json_schemas", (schemas(specs),), joined=True))
        for message in messages:
            turns += self._message(message, translation)
        return turns

    def _message(self, message: Message, translation: Translation) -> list[Turn]:
        if message.role == "assistant":
            return [Turn("assistant", self._answer(message, translation))]
        if message.role == "tool":
            results = [translation.result(output) for output in message.tool_outputs]
            return [self._turn("input", result) for result in results]
        role = "human" if message.role == "user" else message.role
        return [self._turn(role, [_item(message, part) for part in message.parts])]

    def _turn(self, role: str, items: Sequence[Item]) -> Turn:
        return Turn(role, tuple(items), joined=len(items) == 1 and isinstance(items[0], str))

    def _answer(self, message: Message, translation: Translation) -> tuple[Item, ...]:
        ids = self._vocabulary.ids
        if (generated := self.generated(message)) is not None:
            return (Tokens(generated),)
        items: list[Item] = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                call = translation.to_native(part)
                items += (
                    Tokens((ids.tool_call,)),
                    written_call(call.name, call.arguments),
                    Tokens((ids.tool_call_end,)),
                )
            elif isinstance(part, SpeechPart) and (codes := own_codes(part)):
                items.append(Tokens(tuple(interleave(self._vocabulary.encode(part.text), codes, ids))))
            else:
                items.append(_item(message, part))
        return tuple(items)


def check_sounds(conversation: Conversation) -> None:
    """Raises AudioError for a sound without samples."""
    for message in conversation:
        if any(isinstance(part, AudioPart) and not len(part.audio) for part in message.parts):
            raise AudioError(f"a sound in a {message.role} message holds no samples; record it again")


def own_codes(part: SpeechPart) -> tuple[int, ...]:
    """The speech codes of a part; none if they are of another codec, so that its text alone is used."""
    return part.tokens.ids if part.tokens is not None and part.tokens.codec == CODEC else ()


def _item(message: Message, part: Part) -> Item:
    if isinstance(part, TextPart):
        return part.text
    if isinstance(part, AudioPart):
        return part.audio
    if isinstance(part, SpeechPart):
        return part.text
    raise ConversationError(f"a {message.role} message cannot hold a {type(part).__name__}")
