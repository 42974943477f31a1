"""Conversations are written to JSON with their sound beside them, and read back as they were."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, load_conversation, save_conversation, tool
from agentaudio.conversation import (
    AudioPart,
    Conversation,
    Passage,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
)
from agentaudio.errors import ConversationError
from agentaudio.sound.audio import Audio


def talk() -> Conversation:
    made = Conversation()
    made.add("system", "Be brief.")
    made.add("user", AudioPart(tone(300, 0.1), "how are you"), AudioPart(tone(200, 0.1)))
    spoken = SpeechPart("I am …", tone(100, 0.2), SpeechTokens((1, 2, 6560), "cosyvoice2", 25.0), True, 0.2)
    made.add("assistant", spoken, ToolCall("c1", "look", {"deep": [{"a": None, "b": [1.5, True, "ü"]}]}))
    made.add("tool", ToolOutput("c1", "look", "found\n", (Passage("p", "t", "s.md", 7, 0.25),), is_error=True))
    made.mark_failed()
    made.add("assistant", SpeechPart("Done."), ToolCall("c2", "door", {}))
    return made


def test_a_conversation_comes_back_as_it_was(tmp_path: Path) -> None:
    path = save_conversation(talk(), str(tmp_path / "new" / "talk.json"))
    assert load_conversation(str(path)) == talk()
    assert len(list((tmp_path / "new" / "talk.json.sound").iterdir())) == 3
    assert json.loads(path.read_text(encoding="utf-8"))["agentaudio_conversation"] == 1


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
sounds = st.lists(st.floats(-1, 1, width=32), max_size=5).map(lambda s: Audio(np.array(s, np.float32), 16_000))
parts = st.one_of(
    st.builds(TextPart, texts),
    st.builds(AudioPart, sounds, st.none() | texts),
    st.builds(SpeechPart, texts, st.none() | sounds, st.none(), st.booleans(), st.none() | st.floats(0, 9)),
)
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.tuples(parts, st.dictionaries(texts, data, max_size=2), texts), max_size=4))
def test_any_conversation_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, dict[str, Any], str]]
) -> None:
    made = Conversation()
    for number, (part, arguments, text) in enumerate(steps):
        made.add("user", part)
        made.add("assistant", ToolCall(f"c{number}", "look", arguments))
        made.add("tool", ToolOutput(f"c{number}", "look", text))
    assert load_conversation(save_conversation(made, tmp_path_factory.mktemp("talk") / "talk.json")) == made


async def test_a_session_goes_on_from_a_file(tmp_path: Path) -> None:
    @tool
    def look() -> str:
        return "seen"

    first = Agent(scripted(calls(("look", {})), "I saw it.", "Again."), tools=[look]).session()
    await first.run(tone(300, 0.3))
    path = save_conversation(first.conversation, tmp_path / "talk.json")
    second = Agent(scripted("one", "two", "I go on."), tools=[look]).session(load_conversation(path))
    assert (await second.run("go on")).text == "I go on."
    assert second.conversation.messages[: len(first.conversation)] == first.conversation.messages


def test_sound_that_is_no_longer_needed_is_deleted(tmp_path: Path) -> None:
    save_conversation(talk(), tmp_path / "talk.json")
    (tmp_path / "talk.json.sound" / "notes.txt").write_text("mine")
    save_conversation(Conversation(talk().messages[:1]), tmp_path / "talk.json")
    assert [file.name for file in (tmp_path / "talk.json.sound").iterdir()] == ["notes.txt"]


def test_arguments_without_a_json_form_become_text(tmp_path: Path) -> None:
    made = Conversation()
    made.add("assistant", ToolCall("c", "look", {"a": float("nan"), "b": object, "c": {1, 2}, "d": "\ud800"}))
    (call,) = load_conversation(save_conversation(made, tmp_path / "talk.json")).open_calls
    assert call.arguments == {"a": None, "b": repr(object), "c": [1, 2], "d": "?"}


def test_arguments_without_end_are_refused_and_the_older_file_stays(tmp_path: Path) -> None:
    path = save_conversation(talk(), tmp_path / "talk.json")
    circular: dict[str, Any] = {}
    circular["again"] = circular
    made = Conversation()
    made.add("assistant", ToolCall("c", "look", circular))
    with pytest.raises(ConversationError, match="arguments of the call 'c' have no JSON form"):
        save_conversation(made, path)
    assert load_conversation(path) == talk()


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def edit(path: Path) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    return edit


def sound_file(path: Path) -> Path:
    name: str = json.loads(path.read_text())["messages"][1]["parts"][0]["file"]
    return path.with_name("talk.json.sound") / name


def named(file: str) -> Callable[[Path], object]:
    return edited(lambda c: c["messages"][1]["parts"][0].update(file=file))


def linked_out(path: Path) -> None:
    file = sound_file(path)
    os.replace(file, path.with_name("outside.wav"))
    file.symlink_to(path.with_name("outside.wav"))


def piped(path: Path) -> None:
    file = sound_file(path)
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (Path.unlink, "cannot read .*talk.json: No such file"),
        (lambda path: path.write_bytes(b""), "is not a conversation"),
        (lambda path: path.write_bytes(b"\xff\xfe{}"), "is not a conversation"),
        (lambda path: path.write_text("[" * 100_000), "is not a conversation"),
        (lambda path: path.write_text('{"agentaudio_conversation": 1}'), "messages: Field required"),
        (edited(lambda c: c.update(agentaudio_conversation=2)), "agentaudio_conversation: Input should be 1"),
        (edited(lambda c: c["messages"][0].update(role="root")), "messages.0.role"),
        (edited(lambda c: c["messages"][0]["parts"][0].update(type="code")), "messages.0.parts.0"),
        (edited(lambda c: c["messages"][0]["parts"][0].update(more=1)), "messages.0.parts.0.text.more"),
        (edited(lambda c: c["messages"][0].update(parts=[])), "message 1: an empty system message"),
        (edited(lambda c: c["messages"].pop(3)), "message 4: calls .*have no output"),
        (edited(lambda c: c["messages"][4]["parts"][1].update(id="c1")), "message 5: there is already a call"),
        (edited(lambda c: c["messages"][1]["parts"][0].update(sample_rate_hz="16000")), "sample_rate_hz"),
        (lambda path: sound_file(path).unlink(), "message 2: cannot read the sound"),
        (lambda path: sound_file(path).write_bytes(b"RIFF"), "message 2: the sound .* is damaged"),
        (lambda path: tone(50, 0.1).save(sound_file(path)), "its content was changed"),
        (linked_out, "it leads out of"),
        (piped, "not a regular file"),
        (named("../outside.wav"), "is not the name of a sound file"),
        (named("/etc/passwd"), "is not the name of a sound file"),
        (named("0" * 64 + ".wav\n"), "is not the name of a sound file"),
        (named("A" * 64 + ".wav"), "is not the name of a sound file"),
        (named(""), "is not the name of a sound file"),
        (edited(lambda c: c["messages"][1]["parts"][0].update(file=None, sample_rate_hz=-1)), "message 2: the sound"),
    ],
)
def test_a_file_that_is_not_a_whole_conversation_is_refused(
    tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    path = save_conversation(talk(), tmp_path / "talk.json")
    damage(path)
    with pytest.raises(ConversationError, match=words):
        load_conversation(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConversationError, match="cannot write .*file/talk.json"):
        save_conversation(Conversation(), tmp_path / "file" / "talk.json")
