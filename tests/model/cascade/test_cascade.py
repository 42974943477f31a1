"""A cascade: hear, answer and speak with any parts, in one stream that stops at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
from support.parts import Beeps, Ears, Mind
from support.sounds import tone

from agentaudio import Agent, load_model
from agentaudio.conversation import AudioPart, Conversation, ToolCall, ToolSpec
from agentaudio.errors import BackendError, ModelNotFound, OptionError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.parts import ChatDelta, Recogniser
from agentaudio.model.registry import load_chat_model, load_recogniser, load_synthesiser
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, GenerateOptions, Heard, TextDelta
from agentaudio.sound.audio import Audio


def cascade(*answers: Sequence[ChatDelta], ears: Ears | None = None, beeps: Beeps | None = None) -> Cascade:
    return Cascade(ears or Ears(), Mind(*answers), beeps or Beeps())


async def deltas_of(model: Cascade, conversation: Conversation, **options: object) -> list[Delta]:
    return [delta async for delta in model.generate(conversation, **options)]  # type: ignore[arg-type]


def said(*sounds: Audio) -> Conversation:
    conversation = Conversation()
    conversation.add("user", *(AudioPart(sound) for sound in sounds))
    return conversation


async def test_a_spoken_question_is_heard_answered_and_spoken() -> None:
    mind = Mind((TextDelta("Four"), TextDelta(" now"), End(usage={"output_tokens": 2})))
    deltas = await deltas_of(Cascade(Ears(), mind, Beeps()), said(tone()))
    assert deltas[0] == Heard("what is two plus two", 0.9)
    assert [type(delta) for delta in deltas[1:]] == [TextDelta, AudioDelta, TextDelta, AudioDelta, End]
    assert deltas[-1] == End(usage={"output_tokens": 2})
    assert mind.conversations[0].messages[0].text == "what is two plus two"


async def test_the_recogniser_gets_the_joined_sound_with_what_users_of_the_tools_may_say() -> None:
    ears = Ears()
    tools = [ToolSpec("bell", "Ring the bell.", {})]
    await deltas_of(cascade(ears=ears), said(tone(duration_s=1), tone(duration_s=2)), tools=tools)
    assert [sound.duration for sound in ears.sounds] == [3.0] and ears.hints == [["Ring the bell."]]


async def test_every_sound_has_a_transcript_for_the_chat_model_and_the_conversation_is_unchanged() -> None:
    conversation = said(tone())  # a turn that failed before it was heard
    conversation.add("assistant", "Pardon?")
    conversation.add("user", "Listen:", AudioPart(tone()), AudioPart(tone()))
    before = list(conversation.messages)
    mind = Mind()
    await deltas_of(Cascade(Ears("hello there"), mind, None), conversation)
    assert conversation.messages == before
    parts = [part for message in mind.conversations[0] for part in message.parts if isinstance(part, AudioPart)]
    assert [part.transcript for part in parts] == ["", "hello there", ""]


async def test_words_that_were_written_are_not_recognised() -> None:
    ears, conversation = Ears(), Conversation()
    conversation.add("user", "hello")
    deltas = await deltas_of(cascade(ears=ears), conversation)
    assert ears.sounds == [] and not any(isinstance(delta, Heard) for delta in deltas)


async def test_the_language_that_was_heard_reaches_the_chat_model_unless_another_is_wished() -> None:
    for wished, given in ((None, "zh"), ("en", "en")):
        mind, ears = Mind(), Ears("你好", "zh")
        await deltas_of(Cascade(ears, mind, None), said(tone()), options=GenerateOptions(language=wished))
        assert (mind.given[0].language, ears.languages_given) == (given, [wished])


async def test_without_speech_nothing_is_synthesised() -> None:
    beeps = Beeps()
    await deltas_of(cascade(beeps=beeps), said(tone()), options=GenerateOptions(speak=False))
    assert beeps.made == 0


async def test_closing_stops_the_chat_model_and_the_synthesiser() -> None:
    mind, beeps = Mind([TextDelta("word ")] * 1000), Beeps()
    async with contextlib.aclosing(Cascade(Ears(), mind, beeps).generate(said(tone()))) as deltas:
        async for delta in deltas:
            if isinstance(delta, AudioDelta):
                break
        assert (mind.open, beeps.open) == (1, 1)
    assert (mind.open, beeps.open) == (0, 0) and beeps.made < 10


async def test_cancelling_stops_the_recogniser() -> None:
    class Slow(Ears):
        begun = stopped = False

        async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()):  # type: ignore[no-untyped-def]
            self.begun = True
            try:
                await asyncio.sleep(60)
            finally:
                self.stopped = True

    ears = Slow()
    task = asyncio.create_task(deltas_of(cascade(ears=ears), said(tone())))
    while not ears.begun:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ears.stopped


async def test_an_agent_runs_tools_and_speaks_on_any_parts() -> None:
    call = CallDelta(ToolCall("1", "calculate", {"expression": "2+2"}))
    model = cascade((TextDelta("One moment."), call, End("tool_calls")), (TextDelta("It is 4."), End()))
    reply = await Agent(model, tools=["calculate"]).run(tone())
    assert reply.heard == "what is two plus two" and reply.text == "One moment. It is 4."
    assert "4" in reply.tool_calls[0].result.text and reply.audio is not None
    assert reply.audio.duration == pytest.approx(0.01 * len("One moment.It is 4."))


def test_the_capabilities_are_those_of_the_parts() -> None:
    able = cascade().capabilities
    assert (able.hears, able.voices, able.calls_tools, able.sample_rate_hz) == (True, "fixed", True, 16_000)
    assert able.max_audio_s == 30.0 and able.options == {"language", "temperature"}
    deaf = Cascade(None, Mind(), None).capabilities
    assert (deaf.hears, deaf.voices) == (False, "none")


def test_parts_without_a_common_language_are_refused() -> None:
    class English(Ears):
        languages: tuple[str, ...] = ("en",)

    class Chinese(Mind):
        languages: tuple[str, ...] = ("zh",)

    both = English()
    both.languages = ("en", "zh")
    assert Cascade(both, Chinese(), Beeps()).capabilities.languages == ("zh",)
    with pytest.raises(OptionError, match="no language in common: en / zh"):
        Cascade(English(), Chinese(), Beeps())


async def test_closing_the_cascade_closes_every_part_although_one_fails() -> None:
    class Stuck(Ears):
        async def aclose(self) -> None:
            raise BackendError("stuck")

    mind = Mind()
    model = Cascade(Stuck(), mind, None)
    with pytest.raises(BackendError, match="stuck"):
        await model.aclose()
    assert mind.closed
    with pytest.raises(BackendError, match="was closed; load it again"):
        await deltas_of(model, said(tone()))


async def test_a_conversation_without_a_question_is_an_error() -> None:
    with pytest.raises(BackendError, match="no user message"):
        await deltas_of(cascade(), Conversation())


async def test_parts_are_loaded_by_name() -> None:
    for load, noun, wrong, right in (
        (load_recogniser, "recogniser", "sphynx", "sphinx"),
        (load_chat_model, "chat model", "ruoter", "router"),
        (load_synthesiser, "synthesiser", "speak", "espeak"),
    ):
        with pytest.raises(ModelNotFound, match=f"no {noun} '{wrong}' is installed.*{right}"):
            load(wrong)
        with pytest.raises(OptionError, match=f"{noun} '{right}'.*takes no argument"):
            load(f"{right}:large")
        await load(right).aclose()


async def test_a_cascade_is_loaded_by_the_names_of_its_parts() -> None:
    model = load_model("cascade", recogniser=None, chat="router", synthesiser=None)
    reply = await Agent(model, tools=["calculate"]).run("what is two plus two")
    assert "4" in reply.text
    with pytest.raises(OptionError, match="takes its parts as options"):
        load_model("cascade:whisper")
    with pytest.raises(ModelNotFound, match="no chat model 'nobody'"):
        load_model("cascade", chat="nobody", recogniser=None, synthesiser=None)


def test_the_parts_keep_the_protocols() -> None:
    ears: Recogniser = Ears()
    assert ears.max_audio_s == 30.0
