"""A conversation as Step-Audio 2 reads it: the one place where prompts are made."""

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
from agentaudio.errors import ConversationError
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
    spelled,
)
from agentaudio.model.step_audio_2.language.tool_calls import written_call
from agentaudio.model.step_audio_2.tokens import CODEC, Vocabulary, text_of
from agentaudio.sound.audio import Audio

Reply = Literal["speech", "text", "think", "continue"]
Form = Literal["local", "server"]
_Said = tuple[str, tuple[int, ...], tuple[str, ...]]


def schemas(tools: Iterable[ToolSpec]) -> str:
    """The content of a `tool_json_schemas` turn: OpenAI's list of functions as JSON."""
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
    """Makes the prompts of one model; it serves any number of conversations.

    The prompt of a conversation that went on begins with the ids of the earlier prompt and the ids
    that were generated after it, so that their states can be re-used: ids that were `remember`ed
    stand in for the words they came to. Without them (a conversation that was stored, or that
    another model began) answers are tokenised anew.

    dialect: how tools are told
    form: "local" as the authors' own code writes prompts; "server" as their vLLM fork does, with the
        sound of a message before its text, and line breaks between
    system: system message of conversations that have none; None leaves it out
    count_tokens: 16 kHz samples of a piece of sound to its number of tokens
    remembered: answers whose ids are kept
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        dialect: Dialect = step_audio_2(),
        form: Form = "local",
        system: str | None = None,
        count_tokens: CountTokens = audio_tokens,
        remembered: int = 512,
    ) -> None:
        self._vocabulary = vocabulary
        self._dialect = dialect
        self._form = form
        self._system = system
        self._count_tokens = count_tokens
        self._capacity = remembered
        self._generated: OrderedDict[_Said, tuple[int, ...]] = OrderedDict()

    def translation(self, conversation: Conversation, tools: Sequence[ToolSpec] = ()) -> Translation:
        """How this conversation's tools are told, and how to read the model's calls of them."""
        mentioned = {call.name for message in conversation for call in message.tool_calls}
        return self._dialect.bind(tools, mentioned)

    def build(self, conversation: Conversation, tools: Sequence[ToolSpec] = (), *, reply: Reply = "speech") -> Prompt:
        """The prompt that makes the model go on.

        reply: "speech" and "text" begin an answer, "think" a thought (see `after_thought`);
            "continue" goes on with the last message, the assistant's

        Raises ConversationError for a message that no prompt can hold.
        """
        turns = self._turns(conversation, tools)
        ids = self._vocabulary.ids
        if reply == "continue":
            if not conversation.messages or conversation.messages[-1].role != "assistant":
                raise ConversationError("there is no answer to continue; the last message must be the assistant's")
            turns[-1] = replace(turns[-1], closed=False)
            return self._assembled(turns)
        if reply == "think":
            prefix = f"\n{THINK}\n" if self._form == "local" else THINK
            return replace(
                self._assembled([*turns, Turn("assistant", (prefix,), joined=True, closed=False)]), mode="think"
            )
        lead = (ids.tts_start,) if reply == "speech" else ()
        opened = Turn("assistant", (Tokens(lead),) if lead else (), closed=False)
        return replace(self._assembled([*turns, opened]), mode=reply, lead=lead)

    def after_thought(self, prompt: Prompt, generated: Sequence[int], *, speak: bool = True) -> Prompt:
        """The prompt of the answer to a thought: whatever follows `</think>` is cut off.

        prompt: of the thought; generated: the ids of the thought, finished or not
        """
        ids, end = self._vocabulary.ids, END_THINK.encode()
        thought = [number for number in generated if ids.is_text(number)]
        written, kept, tail = b"", len(thought), b"\n" + end
        starts: list[int] = []
        for position, number in enumerate(thought):
            starts.append(len(written))
            written += self._vocabulary.token_bytes(number)
            if (found := written.find(end)) >= 0:
                # The last token may hold more than the tag; if so, the tag is tokenised anew.
                whole = len(written) == found + len(end)
                kept = position + 1 if whole else sum(start <= found for start in starts) - 1
                tail = b"" if whole else written[starts[kept] : found + len(end)]
                break
        lead = (ids.tts_start,) if speak else ()
        more = [*thought[:kept], *self._vocabulary.encode(f"{tail.decode('utf-8', 'replace')}\n\n"), *lead]
        return prompt.extended(more, spelled(more, self._vocabulary), mode="speech" if speak else "text", lead=lead)

    def remember(
        self,
        prompt: Prompt,
        generated: Iterable[int],
        *,
        text: str,
        codes: Sequence[int] = (),
        call_ids: Sequence[str] = (),
    ) -> None:
        """Keep the ids of an answer for when the conversation goes on.

        prompt: what the answer follows; generated: its ids
        text, codes, call_ids: what the conversation will say of it, by which it is found again
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
            return  # thoughts are not kept in history
        # An answer that was cut off still ends what it had begun.
        kept += [ids.tts_end] * speaking + [ids.tool_call_end] * calling
        said = (text.strip(), tuple(codes), tuple(call_ids))
        self._generated[said] = (*prompt.lead, *kept)
        self._generated.move_to_end(said)
        while len(self._generated) > self._capacity:
            self._generated.popitem(last=False)

    def _assembled(self, turns: Sequence[Turn]) -> Prompt:
        return assemble(turns, self._vocabulary, self._count_tokens)

    def _turns(self, conversation: Conversation, tools: Sequence[ToolSpec]) -> list[Turn]:
        translation = self.translation(conversation, tools)
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
        if self._form == "server":
            sounds = [item for item in items if isinstance(item, Audio)]
            words = "\n".join(item for item in items if isinstance(item, str))
            ordered: list[Item] = [*sounds, words] if words or not sounds else [*sounds]
            items = [item for number, one in enumerate(ordered) for item in (("\n", one) if number else (one,))]
        return Turn(role, tuple(items), joined=len(items) == 1 and isinstance(items[0], str))

    def _answer(self, message: Message, translation: Translation) -> tuple[Item, ...]:
        ids = self._vocabulary.ids
        speech = [part for part in message.parts if isinstance(part, SpeechPart)]
        said = (
            message.text.strip(),
            tuple(code for part in speech for code in _own_codes(part)),
            tuple(call.id for call in message.tool_calls),
        )
        if (generated := self._generated.get(said)) is not None:
            self._generated.move_to_end(said)
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
            elif isinstance(part, SpeechPart) and (codes := _own_codes(part)):
                items.append(Tokens(tuple(interleave(self._vocabulary.encode(part.text), codes, ids))))
            else:
                items.append(_item(message, part))
        return tuple(items)


def _own_codes(part: SpeechPart) -> tuple[int, ...]:
    """The codes of what was said; empty when another codec made them, and the words alone remain."""
    return part.tokens.ids if part.tokens is not None and part.tokens.codec == CODEC else ()


def _item(message: Message, part: Part) -> Item:
    if isinstance(part, TextPart):
        return part.text
    if isinstance(part, AudioPart):
        return part.audio
    if isinstance(part, SpeechPart):
        return part.text
    raise ConversationError(f"a {message.role} message cannot hold a {type(part).__name__}")
