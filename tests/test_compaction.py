"""What a model sees of a compacted conversation, for every place where it can be cut."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share
from support.limited import strict

from agentaudio.compaction import START, Compaction, changes, places, until
from agentaudio.conversation import (
    AudioPart,
    Conversation,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
)
from agentaudio.sound.audio import Audio

TOKENS = SpeechTokens((1, 2, 3), "test", 25.0)
SOUND = Audio.silence(0.1, 16_000)
kinds = st.sampled_from(["words", "heard", "unheard", "both"])
calls = st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), max_size=2)
turns = st.lists(
    st.tuples(kinds, calls, st.sampled_from(["answer", "interrupted", "none", "failed"]), st.booleans()), max_size=5
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Turns with several calls a step, late and failed results, news of background tools, answers cut off or missing.

    Some have no numbers of turns, as those from outside a session; some begin with a greeting.
    """
    made, count = Conversation(), 0
    outside = draw(st.integers(0, 5))
    if draw(st.booleans()):
        made.add("system", "You are kind.")
    for number, (kind, steps, end, is_news) in enumerate(draw(turns), 1):
        turn = 0 if number <= outside else number
        if is_news and len(made) > 2:
            count += 1
            made.add("assistant", ToolCall(f"n{count}", "wait", {}), turn=turn)
            made.add("tool", ToolOutput(f"n{count}", "wait", "news"), turn=turn)
        sound = AudioPart(SOUND, None if kind == "unheard" else f"heard {number}")
        parts = {"words": (TextPart(f"question {number}"),), "both": (sound, TextPart("and this"))}.get(kind, (sound,))
        made.add("user", *parts, turn=turn)
        for width, speaks, is_late in steps:
            own = [ToolCall(f"c{count + n}", "ring", {}) for n in range(width)]
            count += width
            lead = [SpeechPart("One moment.", tokens=TOKENS)] if speaks else []
            made.add("assistant", *lead, *own, turn=turn)
            text = "still running" if is_late else "rung"
            outputs = [ToolOutput(call.id, call.name, text, is_error=is_late) for call in own]
            if is_late:  # one result comes by itself
                made.add("tool", outputs.pop(), turn=turn)
            if outputs:
                made.add("tool", *outputs, turn=turn)
        if end == "failed":
            made.mark_failed()
        elif end != "none":
            made.add("assistant", SpeechPart(f"answer {number}", tokens=TOKENS, interrupted=end != "answer"), turn=turn)
    return made


@settings(max_examples=share(300), deadline=None)
@given(conversations(), st.data())
def test_no_cut_parts_a_result_from_its_call_or_an_answer_from_its_question(
    conversation: Conversation, data: st.DataObject
) -> None:
    known = [START, *places(conversation)]
    first, second, third = sorted(data.draw(st.tuples(*[st.sampled_from(known)] * 3)))
    summary = data.draw(st.sampled_from(["", "They met."]))
    messages = list(conversation)
    compaction = Compaction(third, second, first, "What happened?", summary)
    shown = compaction.view(conversation)
    strict(shown)
    assert conversation.messages == messages  # the history stays true
    kept = [message for message in shown if message.role != "system"]
    if summary:
        assert [kept[0].text, kept[1].text] == ["What happened?", "They met."]
        kept = kept[2:]
    whole = [message for message in conversation if message.role != "system"]
    assert [one.text for one in kept] == [one.text for one in whole[len(whole) - len(kept) :]]
    untouched = len(whole) - len([m for m in until(conversation, third) if m.role != "system"])
    assert untouched == 0 or kept[-untouched:] == whole[-untouched:]
    assert [m for m in shown if m.role == "system"] == [m for m in conversation if m.role == "system"]
    # What is cut first is cut again in the same way once the conversation has gone on.
    longer = conversation.copy()
    if not longer.open_calls:
        longer.add("user", "and then?", turn=99)
        assert compaction.view(longer).messages[:-1] == shown.messages


def test_old_answers_keep_their_words_and_old_sound_becomes_its_transcript() -> None:
    talk = Conversation()
    for number in (1, 2, 3):
        talk.add("user", AudioPart(SOUND, f"heard {number}" if number < 2 else None), turn=number)
        talk.add("assistant", SpeechPart(f"answer {number}", tokens=TOKENS), turn=number)
    compaction = Compaction(words_only=(3, 0), transcribed=(3, 0))
    shown = compaction.view(talk)
    assert shown.messages[0].parts == (TextPart("heard 1"),)
    assert shown.messages[2].parts == talk.messages[2].parts  # nobody knows its words
    assert [part.tokens for m in shown for part in m.parts if isinstance(part, SpeechPart)] == [None, None, TOKENS]
    done = changes(Compaction(), compaction, talk)
    assert (done.answers, done.sounds, done.summarised) == (2, 1, 0)
    more = replace(compaction, summarised=(2, 0), question="?", summary="One.")
    assert changes(compaction, more, talk).summarised == 1
    assert changes(compaction, replace(more, left_out=1), talk).left_out == 1


def test_places_survive_the_loss_of_the_oldest_and_of_the_latest_turns() -> None:
    talk = Conversation()
    for number in range(1, 6):
        talk.add("user", f"question {number}", turn=number)
        talk.add("assistant", f"answer {number}", turn=number)
    compaction = Compaction(summarised=(4, 0), question="?", summary="Three.")
    before = [message.text for message in compaction.view(talk)]
    del talk.messages[:4]
    assert [message.text for message in compaction.view(talk)] == before
    talk.remove_turn(5)
    assert [message.text for message in compaction.view(talk)] == ["?", "Three.", "question 4", "answer 4"]
