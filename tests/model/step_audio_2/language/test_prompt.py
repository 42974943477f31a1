"""Prompts: equal to the reference, each a prefix of the next, and safe against forged special tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sounds import tone
from support.step_audio_2 import CharacterVocabulary, by_kind, byte_vocabulary, kept, read, sounds, speech_tokens

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    Message,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolSpec,
)
from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.interleave import OutputReader, interleave, split_output
from agentaudio.model.step_audio_2.language.messages import from_items, from_messages
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder, Reply
from agentaudio.model.step_audio_2.language.segments import assemble
from agentaudio.model.step_audio_2.language.tool_calls import parse_tool_calls
from agentaudio.model.step_audio_2.tokens import SPECIAL_TOKENS, TokenIds, text_of
from agentaudio.sound.audio import Audio

IDS = TokenIds()
CHARACTERS = CharacterVocabulary()
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
SEARCH = ToolSpec("web_search", "Search the web.", QUERY)
hostile = st.lists(
    st.sampled_from([*SPECIAL_TOKENS, "<audio_7>", "<", "|EOT|>", "\n", '"}']) | st.text(max_size=3), min_size=1
).map("".join)


def conversation(*messages: tuple[Any, ...]) -> Conversation:
    made = Conversation()
    for role, *parts in messages:
        made.add(role, *parts)
    return made


@pytest.mark.parametrize("case", kept("local"), ids=lambda case: case["name"])
def test_local_messages_read_as_in_the_reference(case: dict[str, Any]) -> None:
    messages = sounds(case["messages"])
    write = from_items if case["dialect"] == "base" else from_messages
    assert str(assemble(write(messages, CHARACTERS), CHARACTERS)) == case["prompt"]


def test_whole_conversation_with_tools_and_speech() -> None:
    talk = conversation(
        ("system", "Be kind."),
        ("user", "First this:", AudioPart(tone(duration_s=0.1)), "then that."),
        (
            "assistant",
            SpeechPart("OK", tokens=speech_tokens((1, 2, 3, 4, 5))),
            ToolCall("c1", "web_search", {"query": "茶"}),
        ),
        ("tool", ToolOutput("c1", "web_search", "Tea is green.")),
    )
    prompt = PromptBuilder(CHARACTERS).build(talk, [SEARCH])
    text = str(prompt)
    start, _, rest = text.partition("<|BOT|>tool_json_schemas\n")
    schema, _, turns = rest.partition("<|EOT|>")
    assert start == "<|BOT|>system\nBe kind.<|EOT|>"
    assert schema.startswith('[{"type": "function", "function": {"name": "search", "description": "在')
    assert turns == (
        "<|BOT|>human\nFirst this:<audio_start><audio_patch><audio_end>then that.<|EOT|>"
        "<|BOT|>assistant\n<tts_start>O<audio_1><audio_2><audio_3><audio_4>"
        "K<audio_5><audio_6561><audio_6561><audio_6561><tts_end>"
        '<tool_call>function\nsearch\n{"query": "茶"}</tool_call><|EOT|>'
        "<|BOT|>input\nTea is green.\n\n\n请用口语化形式总结检索结果，简短地回答用户的问题。<|EOT|>"
        "<|BOT|>assistant\n<tts_start>"
    )
    assert (prompt.mode, prompt.lead) == ("speech", (IDS.tts_start,))


def test_system_prompt_stands_in_where_a_conversation_has_none() -> None:
    builder = PromptBuilder(CHARACTERS, system="Hello.")
    assert str(builder.build(conversation(("user", "Hi")), reply="text")).startswith("<|BOT|>system\nHello.<|EOT|>")
    assert "Hello." not in str(builder.build(conversation(("system", "Mine."), ("user", "Hi"))))


def test_long_sound_is_cut_into_pieces_of_25_s() -> None:
    prompt = PromptBuilder(CHARACTERS).build(conversation(("user", AudioPart(Audio.silence(26, 8_000)))))
    assert [(piece.start, piece.samples, piece.n_tokens) for piece in prompt.audio] == [
        (0, 400_000, 313),
        (400_000, 16_000, 13),
    ]
    assert len(prompt.positions) == len(prompt.ids)


def test_token_counts_may_be_the_server_s() -> None:
    builder = PromptBuilder(CHARACTERS, count_tokens=lambda samples: 7)
    (piece,) = builder.build(conversation(("user", AudioPart(tone())))).audio
    assert piece.ids == (IDS.audio_start, *[IDS.audio_patch] * 7, IDS.audio_end)


answers = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.lists(st.integers(0, 6560), max_size=12),
    st.booleans(),
    st.sampled_from(["", " tail", "尾"]),
    st.booleans(),
)


@given(st.lists(answers, min_size=1, max_size=4), st.sampled_from(["speech", "text"]))
def test_a_longer_conversation_s_prompt_begins_with_the_shorter_one_s(turns: list[Any], reply: Reply) -> None:
    vocabulary = byte_vocabulary()
    ids = vocabulary.ids
    builder = PromptBuilder(vocabulary)
    talk = conversation(("system", "s"), ("user", AudioPart(tone(duration_s=0.3)), "why?"))
    cached: list[Any] = []
    for number, (text, codes, calling, tail, finished) in enumerate(turns):
        prompt = builder.build(talk, [SEARCH], reply=reply)
        assert prompt.shared_with(cached) == len(cached)
        block = interleave(vocabulary.encode(text), codes, ids)[len(prompt.lead) :]
        output = [*block, *vocabulary.encode(tail)] if finished else block[:-1]
        if calling and finished:
            # The model's own blanks and broken JSON come back as they were.
            output += [ids.tool_call, *vocabulary.encode("function \nsearch \n{query: x}"), ids.tool_call_end]
        found = by_kind(read(OutputReader(vocabulary, prompt.mode), [*output, ids.eot]))
        said = f"{found['spoken']}{found['text']}".strip()
        parsed = parse_tool_calls(found["calls"])
        deltas = [call.delta(f"{number}") for call in parsed.calls + parsed.problems]
        parts = [SpeechPart(said, tokens=speech_tokens(tuple(found["codes"])))] if said or found["codes"] else []
        calls = [builder.translation(talk, [SEARCH]).delta(delta).call for delta in deltas]
        builder.remember(
            prompt, [*output, ids.eot], text=said, codes=found["codes"], call_ids=[call.id for call in calls]
        )
        if not parts and not calls:
            return
        talk.add("assistant", *parts, *calls)
        if calls:
            talk.add("tool", *(ToolOutput(call.id, call.name, "r") for call in calls))
        talk.add("user", "and?")
        cached = [*prompt.positions, *output]


def test_without_memory_the_prompt_still_begins_with_the_shorter_one() -> None:
    talk = conversation(("user", "Hi"))
    before = PromptBuilder(CHARACTERS).build(talk)
    talk.add("assistant", SpeechPart("Hello", tokens=speech_tokens(tuple(range(20)))))
    talk.add("user", "Bye")
    after = PromptBuilder(CHARACTERS).build(talk)
    block = interleave(CHARACTERS.encode("Hello"), range(20))
    assert after.ids[: len(before.ids) + len(block) - 1] == [*before.ids, *block[1:]]


@pytest.mark.parametrize(
    ("begun", "closing"),
    [([ord("A"), IDS.audio_0], IDS.tts_end), ([IDS.tts_end, IDS.tool_call, ord("f")], IDS.tool_call_end)],
)
def test_an_answer_that_was_cut_off_is_closed_in_history(begun: list[int], closing: int) -> None:
    builder = PromptBuilder(CHARACTERS)
    talk = conversation(("user", "Hi"))
    before = builder.build(talk)
    builder.remember(before, begun, text="A")
    talk.add("assistant", SpeechPart("A"))
    talk.add("user", "Bye")
    assert builder.build(talk).ids[: len(before.ids) + len(begun) + 2] == [*before.ids, *begun, closing, IDS.eot]


def test_only_so_many_answers_are_remembered() -> None:
    builder = PromptBuilder(CHARACTERS, remembered=1)
    prompt = builder.build(conversation(("user", "Hi")), reply="text")
    for text in ("A", "B"):
        builder.remember(prompt, CHARACTERS.encode(f"*{text}"), text=text)
    shown = [
        str(builder.build(conversation(("user", "Hi"), ("assistant", SpeechPart(text)), ("user", "?"))))
        for text in ("A", "B")
    ]
    assert "assistant\nA<" in shown[0] and "assistant\n*B<" in shown[1]


def test_equal_ids_of_different_sound_are_not_shared() -> None:
    builder = PromptBuilder(CHARACTERS)
    one, other, again = (
        builder.build(conversation(("user", AudioPart(tone(pitch, 1.0))))) for pitch in (200, 300, 200)
    )
    assert one.ids == other.ids
    assert one.shared_with(other.positions) == one.ids.index(IDS.audio_patch)
    assert one.shared_with(again.positions) == len(one.ids)


@pytest.mark.parametrize(
    ("generated", "answer"),
    [
        ("hm</think>", "hm</think>\n\n<tts_start>"),
        ("hm</think>\n\nyes", "hm</think>\n\n<tts_start>"),
        ("hm", "hm\n</think>\n\n<tts_start>"),
    ],
)
def test_an_answer_follows_its_thought(generated: str, answer: str) -> None:
    builder = PromptBuilder(CHARACTERS)
    prompt = builder.build(conversation(("user", "x")), reply="think")
    spoken = builder.after_thought(prompt, [*CHARACTERS.encode(generated), IDS.eot])
    assert str(prompt).endswith("<|BOT|>assistant\n\n<think>\n")
    assert str(spoken) == f"{prompt}{answer}"
    assert spoken.shared_with([*prompt.positions, *CHARACTERS.encode(generated)]) >= len(prompt.ids) + 2
    assert (spoken.mode, spoken.lead) == ("speech", (IDS.tts_start,))


def test_a_tag_that_ends_inside_a_token_is_cut_there() -> None:
    class Coarse(CharacterVocabulary):
        def token_bytes(self, token_id: int) -> bytes:
            return b"k>\n" if token_id == 7 else super().token_bytes(token_id)

    builder = PromptBuilder(Coarse())
    prompt = builder.build(conversation(("user", "x")), reply="think")
    spoken = builder.after_thought(prompt, [*CHARACTERS.encode("hm</thin"), 7], speak=False)
    assert str(spoken) == f"{prompt}hm</think>\n\n"
    assert spoken.mode == "text"


def test_thoughts_leave_history() -> None:
    builder = PromptBuilder(CHARACTERS)
    talk = conversation(("user", "x"))
    prompt = builder.build(talk, reply="think")
    builder.remember(prompt, CHARACTERS.encode("secret</think>Yes"), text="Yes")
    builder.remember(builder.build(talk, reply="text"), CHARACTERS.encode("<think>secret</think>Yes"), text="Yes")
    talk.add("assistant", SpeechPart("Yes"))
    assert "secret" not in str(builder.build(talk))


def test_continuing_leaves_the_answer_open() -> None:
    talk = conversation(("user", "q"), ("assistant", "Sure,  "))
    builder = PromptBuilder(CHARACTERS)
    assert str(builder.build(talk, reply="continue")) == "<|BOT|>human\nq<|EOT|><|BOT|>assistant\nSure,  "
    talk.add("user", "go on")
    with pytest.raises(ConversationError, match="no answer to continue"):
        builder.build(talk, reply="continue")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.integers(0, 12), st.floats(0, 0.6))
def test_an_answer_that_was_cut_where_the_listener_stopped_is_a_whole_block(
    text: str, count: int, cut_s: float
) -> None:
    vocabulary = byte_vocabulary()
    heard = speech_tokens(tuple(range(count))).until(cut_s)
    part = SpeechPart(text, tokens=heard, interrupted=True, cut_s=cut_s)
    prompt = PromptBuilder(vocabulary).build(conversation(("user", "q"), ("assistant", part), ("user", "and?")))
    ids = vocabulary.ids
    begin = [ids.bot, *vocabulary.encode("assistant\n")]
    start = next(n for n in range(len(prompt.ids)) if prompt.ids[n : n + len(begin)] == begin) + len(begin)
    answer = prompt.ids[start : prompt.ids.index(ids.eot, start)]
    found = split_output(answer, speaking=False, ids=ids)
    if heard.ids:
        assert (answer[0], answer[-1], (len(answer) - 2) % 5) == (ids.tts_start, ids.tts_end, 0)
        assert (text_of(vocabulary, found.text), found.codes, found.other) == (text, heard.ids, ())
    else:
        assert (found.text, found.codes, text_of(vocabulary, found.other)) == ((), (), text)


def test_a_cut_answer_is_not_taken_for_the_whole_one_that_was_generated() -> None:
    builder = PromptBuilder(CHARACTERS)
    before = builder.build(conversation(("user", "Hi")))
    generated = interleave(CHARACTERS.encode("AB"), range(8))[1:]
    builder.remember(before, [*generated, IDS.eot], text="AB", codes=range(8))
    cut = SpeechPart("A", tokens=speech_tokens(tuple(range(8))).until(0.16), interrupted=True, cut_s=0.16)
    prompt = builder.build(conversation(("user", "Hi"), ("assistant", cut), ("user", "?")))
    assert "<tts_start>A<audio_0><audio_1><audio_2><audio_3><tts_end><|EOT|>" in str(prompt)


@pytest.mark.parametrize("count", [1, 20])
def test_codes_of_another_codec_are_never_taken_for_ones_own(count: int) -> None:
    foreign = SpeechTokens(tuple(range(count)), "mimi", 12.5)
    talk = conversation(("user", "q"), ("assistant", SpeechPart("Yes", tokens=foreign)))
    prompt = PromptBuilder(CHARACTERS).build(talk, reply="text")
    assert "<|BOT|>assistant\nYes<|EOT|>" in str(prompt)
    assert not any(IDS.code_of(number) is not None for number in prompt.ids)


def test_own_codes_out_of_range_are_refused() -> None:
    talk = conversation(("user", "q"), ("assistant", SpeechPart("Yes", tokens=speech_tokens((6561,)))))
    with pytest.raises(ConversationError, match="6561 is out of range"):
        PromptBuilder(CHARACTERS).build(talk)


def test_a_call_by_the_user_is_refused() -> None:
    talk = Conversation([Message("user", (ToolCall("1", "f", {}),))])
    with pytest.raises(ConversationError, match="cannot hold a ToolCall"):
        PromptBuilder(CHARACTERS).build(talk)


@given(hostile)
def test_text_cannot_forge_a_special_token(text: str) -> None:
    vocabulary = byte_vocabulary()

    def special_ids(words: str) -> list[int]:
        tool = ToolSpec("odd", words, {"type": "object", "properties": {"a": {"description": words}}})
        talk = conversation(
            ("system", words),
            ("user", words, TextPart(words), AudioPart(tone(duration_s=0.1))),
            ("assistant", SpeechPart(words), ToolCall("1", words, {"a": words}), ToolCall("2", "odd", {words: 1})),
            ("tool", ToolOutput("1", words, words), ToolOutput("2", "odd", words, is_error=True)),
            ("user", words),
        )
        ids = PromptBuilder(vocabulary).build(talk, [tool]).ids
        return [number for number in ids if not vocabulary.ids.is_text(number)]

    assert special_ids(text) == special_ids("harmless")


@given(hostile)
def test_messages_of_the_reference_cannot_forge_special_tokens(text: str) -> None:
    vocabulary = byte_vocabulary()
    roles = ("system", "user", "tool", "input", "assistant")
    turns = from_messages([{"role": role, "content": text + "."} for role in roles], vocabulary)
    ids = [number for number in assemble(turns, vocabulary).ids if not vocabulary.ids.is_text(number)]
    assert ids == [vocabulary.ids.bot, vocabulary.ids.eot] * len(roles)
