"""Checks of the user's words, and of the agent's before they are heard."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, Audio, Limits, Stop, events, tool
from agentaudio.checks import Check
from agentaudio.conversation import AudioPart, Conversation, SpeechPart, TextPart
from agentaudio.errors import CheckError, OptionError
from agentaudio.events import Event
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, Delta, Heard, SpeechLM, TextDelta
from agentaudio.turn_checks import WITHHELD


def no_prices(text: str) -> Stop | None:
    return Stop("I cannot speak about prices.") if "euro" in text else None


def no_cards(text: str) -> str | None:
    return text.replace("4711", "(a number)") if "4711" in text else None


def raises(error: Exception) -> None:
    raise error


class OwnSound:
    """A model that makes its own sound and cannot speak given words: 0.1 s after each word."""

    name = "own-sound"
    capabilities = replace(Scripted.capabilities, voices="fixed", imitates=None)

    def __init__(self, *steps: str | list[Delta], words_lead: bool = True) -> None:
        self._script = scripted(*(self._deltas(one) if isinstance(one, str) else one for one in steps))
        self.capabilities = replace(self.capabilities, words_lead=words_lead)
        self.asked: list[Conversation] = []

    @staticmethod
    def _deltas(text: str) -> list[Delta]:
        found: list[Delta] = []
        for number, word in enumerate(text.split(" ")):
            found += [TextDelta(word if not number else f" {word}"), AudioDelta(tone(100 + 10 * number, 0.1))]
        return found

    async def generate(self, conversation: Conversation, **given: Any) -> AsyncGenerator[Delta, None]:
        self.asked.append(conversation)
        async for delta in self._script.generate(conversation, **given):
            yield delta

    async def warm_up(self, tools: Any = ()) -> None: ...

    async def aclose(self) -> None: ...


async def happening(agent: Agent, said: Any = "hello") -> list[Event]:
    return [event async for event in agent.session(plays=False).stream(said)]


def reply_of(found: list[Event]) -> Any:
    return next(event.reply for event in found if event.type == "turn.finished")


async def test_a_refused_question_never_reaches_the_model_and_gets_the_words_of_the_check() -> None:
    model = OwnSound("This is never said.", "Fine.")
    session = Agent(model, input_checks=[no_prices]).session(plays=False)
    found = [event async for event in session.stream("how many euro is it")]
    reply = reply_of(found)
    assert (reply.text, reply.stop, reply.stopped_by) == ("I cannot speak about prices.", "refused", "no_prices")
    assert model.asked == []
    kinds = [event.type for event in found]
    assert kinds.index("turn.stopped") < kinds.index("text.delta") < kinds.index("turn.finished")
    assert [message.text for message in session.conversation] == [WITHHELD, "I cannot speak about prices."]
    assert (await session.run("and now?")).stop == "answered"
    assert "euro" not in str(model.asked[0])


async def test_the_words_of_a_check_are_spoken_by_a_model_that_can_speak_given_words() -> None:
    reply = await Agent(Scripted(["x"]), input_checks=[no_prices]).run("euro?")
    assert reply.audio is not None and reply.audio.duration == pytest.approx(5 * 0.3)
    silent = await Agent(OwnSound("x"), input_checks=[no_prices]).run("euro?")
    assert silent.audio is None and silent.text == "I cannot speak about prices."


async def test_a_replaced_question_is_what_the_model_reads() -> None:
    model = OwnSound("Noted.")
    session = Agent(model, input_checks=[no_cards]).session(plays=False)
    assert (await session.run("my card is 4711")).stop == "answered"
    assert [message.text for message in model.asked[0]] == ["my card is (a number)"]
    assert session.conversation.messages[0].text == "my card is (a number)"


@pytest.mark.parametrize("words", ["my card is 4711", "how many euro"])
async def test_words_that_only_the_model_hears_are_checked_before_its_answer_leaves(words: str) -> None:
    """The model has heard the sound already; when its words are replaced it is asked again, without the sound."""
    model = OwnSound([Heard(words), *OwnSound._deltas("Your secret is safe.")])
    session = Agent(model, input_checks=[no_cards, no_prices]).session(plays=False)
    found = [event async for event in session.stream(tone(300, 1.0))]
    asked = session.conversation.messages[0].parts
    if "4711" in words:
        assert asked == (TextPart("my card is (a number)"),)
        assert [[type(part) for part in one.messages[0].parts] for one in model.asked] == [[AudioPart], [TextPart]]
        assert reply_of(found).text == "Your secret is safe."
    else:
        assert asked == (TextPart(WITHHELD),) and len(model.asked) == 1
        assert reply_of(found).text == "I cannot speak about prices." and reply_of(found).audio is None


async def test_a_model_that_does_not_say_what_it_hears_fails_closed() -> None:
    session = Agent(OwnSound("I heard you."), input_checks=[no_prices]).session(plays=False)
    found: list[Event] = []
    with pytest.raises(CheckError, match="does not say what it hears"):
        async for event in session.stream(tone(300, 1.0)):
            found.append(event)
    assert not [event for event in found if event.type in ("text.delta", "audio.delta")]
    assert len(session.conversation) == 0


async def test_words_of_the_user_that_arrive_after_the_answer_hold_it_back() -> None:
    late = [*OwnSound._deltas("Hello there."), Heard("good morning")]
    found = await happening(Agent(OwnSound(late), input_checks=[no_prices]), tone(300, 1.0))
    assert [event.type for event in found][2] == "heard" and reply_of(found).text == "Hello there."


async def test_words_of_a_conversation_that_is_gone_on_with_are_checked_as_a_whole_and_each_word_once() -> None:
    read: list[str] = []

    def reads(text: str) -> Stop | None:
        read.append(text)
        return no_prices(text)

    model = OwnSound("One.", "Two.", "Three.")
    told = Conversation()
    for role, text in ("user", "three euro"), ("assistant", "No."), ("user", "what is the time"):
        told.add(role, text)  # type: ignore[arg-type]
    session = Agent(model, input_checks=[reads]).session(told, plays=False)
    assert (await session.run("and now")).stop == "answered"
    for _ in range(2):
        assert [event async for event in session.respond(told)][-1].reply.stop == "answered"  # type: ignore[union-attr]
    for asked in model.asked:
        assert [message.text for message in asked][:3] == [WITHHELD, "No.", "what is the time"]
    assert sorted(read) == ["and now", "three euro", "what is the time"]  # checked side by side, in any order


@pytest.mark.parametrize("speaks", [True, False])
async def test_a_refused_sentence_is_never_heard_and_the_history_holds_what_was_said(speaks: bool) -> None:
    text = "It is open. It costs nine euro. Come soon."
    model: SpeechLM = Scripted([text]) if speaks else OwnSound(text)
    session = Agent(model, output_checks=[no_prices]).session(plays=False)
    found = [event async for event in session.stream("hello")]
    reply = reply_of(found)
    said = "It is open. I cannot speak about prices."
    assert ("".join(e.text for e in found if e.type == "text.delta"), reply.text) == (said, said)
    assert (reply.stop, reply.stopped_by) == ("refused", "no_prices")
    (part,) = session.conversation.messages[-1].parts
    assert isinstance(part, SpeechPart) and part.text == said and not part.interrupted
    assert reply.audio is not None and reply.audio.duration == pytest.approx(8 * 0.3 if speaks else 3 * 0.1)


async def test_words_and_sound_wait_for_the_verdict_on_their_sentence() -> None:
    order: list[str] = []

    async def slow(text: str) -> None:
        await asyncio.sleep(0.02)
        order.append(f"judged {text}")

    async for event in Agent(OwnSound("One two. Three."), output_checks=[slow]).session(plays=False).stream("go"):
        if isinstance(event, events.TextSpoken):
            order.append(event.text.strip())
        elif isinstance(event, events.AudioSpoken):
            order.append("~")
    assert order == ["judged One two.", "One", "~", "two.", "~", "judged Three.", "Three.", "~"]


async def test_the_sound_of_a_model_whose_words_may_come_late_waits_for_all_of_them() -> None:
    model = OwnSound([AudioDelta(tone(200, 0.5)), *OwnSound._deltas("Nine euro.")], words_lead=False)
    found = await happening(Agent(model, output_checks=[no_prices]))
    assert not [event for event in found if event.type == "audio.delta"]
    begun = [*OwnSound._deltas("We are open."), TextDelta(" Nine euro.")]
    reply = await Agent(OwnSound(begun, words_lead=False), output_checks=[no_prices]).run("go")
    assert (reply.text, reply.audio) == ("We are open. I cannot speak about prices.", None)


async def test_sound_without_words_fails_closed() -> None:
    with pytest.raises(CheckError, match="sound without words"):
        await Agent(OwnSound([AudioDelta(tone(200, 0.5))]), output_checks=[no_prices]).run("go")


async def test_a_replaced_sentence_is_spoken_anew_or_loses_its_sound() -> None:
    text, said = "Hello there. The code is 4711. Goodbye.", "Hello there. The code is (a number). Goodbye."
    anew = await Agent(Scripted([text]), output_checks=[no_cards]).run("go")
    assert anew.text == said and anew.audio is not None
    assert anew.audio.duration == pytest.approx(0.3 * len(said.split()))
    own = await Agent(OwnSound(text), output_checks=[no_cards]).run("go")
    assert own.text == said and own.audio is not None
    assert own.audio.duration == pytest.approx(2 * 0.1)  # of the words before the one that is replaced
    dropped = await Agent(Scripted(["One. Two."]), output_checks=[lambda text: "" if "One" in text else None]).run("go")
    assert dropped.text == "Two."


async def test_the_sound_of_approved_words_has_the_limits_of_the_models_own() -> None:
    agent = Agent(Scripted(["one two three four. Five six."]), output_checks=[no_prices], limits=Limits(sound_s=0.7))
    reply = await agent.run("go")
    assert reply.audio is not None and reply.audio.duration == pytest.approx(0.7) and reply.stop == "length"


@settings(max_examples=share(60), deadline=None)
@given(data=st.data())
def test_whatever_the_checks_say_and_when_no_sound_is_heard_whose_words_were_not_approved(data: st.DataObject) -> None:
    """Sound is told apart by its length; the words before it are those that the model has said until then."""
    words = data.draw(st.lists(st.sampled_from(["one", "two.", "three,", "euro.", "4711", "five!", "\n"]), max_size=14))
    places = data.draw(st.lists(st.integers(0, len(words)), max_size=8))
    pauses = data.draw(st.lists(st.sampled_from([0, 0, 0.001]), min_size=20, max_size=20))
    leads = data.draw(st.booleans())
    deltas: list[Delta] = []
    before: dict[int, str] = {}  # samples of a sound, and the words before it
    for place in range(len(words) + 1):
        for number in [at for at, one in enumerate(places) if one == place]:
            before[160 + number] = " ".join(words[:place])
            deltas.append(AudioDelta(Audio.silence((160 + number) / 16_000, 16_000)))
        if place < len(words):
            deltas.append(TextDelta(words[place] if not place else f" {words[place]}"))
    approved: list[str] = []

    async def judges(text: str) -> str | Stop | None:
        await asyncio.sleep(pauses[len(approved) % 20])
        verdict = no_prices(text) or no_cards(text)
        if verdict is None:
            approved.append(text)
        return verdict

    async def turn() -> None:
        try:
            async for event in Agent(OwnSound(deltas, words_lead=leads), output_checks=[judges]).stream("go"):
                await asyncio.sleep(pauses[-1])
                if isinstance(event, events.AudioSpoken):
                    needed = before[len(event.audio)].split()
                    assert " ".join(approved).split()[: len(needed)] == needed
        except CheckError:
            assert not " ".join(words).strip()

    asyncio.run(turn())


async def test_checks_run_in_order_and_each_reads_what_the_one_before_has_made() -> None:
    read: list[str] = []

    def note(text: str) -> None:
        read.append(text)

    class Upper:
        async def __call__(self, text: str) -> str:
            return text.upper()

    assert (await Agent(OwnSound("hi."), output_checks=[Upper(), note]).run("go")).text == "HI."
    assert read == ["HI."]


async def test_a_plain_check_runs_in_a_thread_and_does_not_hold_up_the_event_loop() -> None:
    threads = []

    def slow(text: str) -> None:
        threads.append(threading.current_thread())
        time.sleep(0.1)

    longest, going = 0.0, True

    async def beat() -> None:
        nonlocal longest
        while going:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - begun)

    beating = asyncio.create_task(beat())
    await Agent(OwnSound("One. Two."), input_checks=[slow], output_checks=[slow]).run("go")
    going = False
    await beating
    assert len(threads) == 3 and threading.current_thread() not in threads


@pytest.mark.parametrize("side", ["input_checks", "output_checks"])
@pytest.mark.parametrize(
    ("check", "problem"),
    [
        (lambda text: 1 / 0, "raised ZeroDivisionError"),
        (lambda text: True, "returned bool; return None, other words"),
        (lambda text: exit(1), "raised "),
        (lambda text: raises(TimeoutError("the service")), "raised TimeoutError"),
    ],
)
async def test_a_check_that_fails_ends_the_turn_and_lets_nothing_out(side: str, check: Check, problem: str) -> None:
    checks: dict[str, Any] = {side: [check]}
    session = Agent(OwnSound("This is secret."), **checks).session(plays=False)
    found: list[Event] = []
    with pytest.raises(CheckError, match=problem):
        async for event in session.stream("go"):
            found.append(event)
    assert found[-1].type == "turn.failed"
    assert not [event for event in found if event.type in ("text.delta", "audio.delta")]
    assert len(session.conversation) == 0


async def test_a_check_that_never_returns_fails_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentaudio.checks.CHECK_S", 0.05)

    async def hangs(text: str) -> None:
        await asyncio.sleep(60)

    with pytest.raises(CheckError, match="took longer than"):
        await Agent(OwnSound("Hello."), output_checks=[hangs]).run("go")


async def test_calls_of_a_refused_answer_are_not_run() -> None:
    ran: list[int] = []

    @tool
    def pay(euro: int) -> str:
        ran.append(euro)
        return "paid"

    step = {**calls(("pay", {"euro": 9})), "say": "I pay nine euro."}
    session = Agent(Scripted([step, "Done."]), tools=[pay], output_checks=[no_prices]).session(plays=False)
    reply = await session.run("pay")
    assert (reply.stop, ran, reply.tool_calls) == ("refused", [], ())
    assert [message.role for message in session.conversation] == ["user", "assistant"]
    assert (await session.run("go on")).text == "Done."


async def test_an_interruption_while_a_check_thinks_leaves_a_conversation_that_goes_on() -> None:
    thinking = asyncio.Event()

    async def slow(text: str) -> None:
        if "Two" in text:
            thinking.set()
            await asyncio.sleep(60)

    session = Agent(OwnSound("One. Two.", "Three."), output_checks=[slow]).session(plays=False)
    turn = asyncio.create_task(session.run("go"))
    await thinking.wait()
    await session.interrupt()
    reply = await turn
    assert (reply.text, reply.stop) == ("One.", "interrupted")
    assert (await session.run("on")).text == "Three."


async def test_a_tool_step_is_checked_like_the_last_one() -> None:
    @tool
    def look() -> str:
        return "seen"

    steps = {**calls(("look", {})), "say": "Let me look."}, "It costs one euro."
    reply = await Agent(Scripted(steps), tools=[look], output_checks=[no_prices]).run("go")
    assert reply.text == "Let me look. I cannot speak about prices." and len(reply.tool_calls) == 1


async def test_a_text_without_ends_of_sentences_is_judged_in_parts() -> None:
    read: list[str] = []

    def note(text: str) -> None:
        read.append(text)

    words = " ".join(f"word{number}" for number in range(400))
    assert (await Agent(OwnSound(words), output_checks=[note]).run("go")).text == words
    assert len(read) > 3 and " ".join(read) == words


def test_what_is_not_a_function_is_refused_as_a_check() -> None:
    with pytest.raises(OptionError, match="a check is 'no prices'"):
        Agent(Scripted(["x"]), input_checks=["no prices"])  # type: ignore[list-item]


async def test_recognised_sound_keeps_its_sound_in_the_conversation() -> None:
    def breaks(*_: object) -> Iterator[Delta]:
        yield Heard("hello you")
        yield TextDelta("Hi.")

    session = Agent(scripted(breaks), input_checks=[no_prices]).session(plays=False)
    assert (await session.run(tone(300, 1.0))).heard == "hello you"
    (part,) = session.conversation.messages[0].parts
    assert isinstance(part, AudioPart) and isinstance(part.audio, Audio) and part.transcript == "hello you"
