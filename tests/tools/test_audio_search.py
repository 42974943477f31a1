"""`audio_search`, called by an agent and directly."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.sounds import tone

from agentaudio import Agent, RunContext, ToolResult
from agentaudio.conversation import AudioPart, Conversation, TextPart, ToolCall
from agentaudio.errors import ConsentError, ToolError
from agentaudio.events import VoiceChanged
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, TextDelta
from agentaudio.retrieval.voices.search import VoiceMatch, VoiceSearch
from agentaudio.tools.discovery import find_tools
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Voice


def call(query: str, voices: VoiceSearch, conversation: Conversation | None = None) -> ToolResult:
    context = RunContext(conversation or Conversation(), voices=voices)
    return asyncio.run(find_tools(["audio_search"])["audio_search"].call(context, {"query": query}))


def spoken(duration_s: float = 3.0) -> Conversation:
    conversation = Conversation()
    conversation.add("user", AudioPart(tone(180, duration_s)))
    return conversation


def both(*queries: str) -> Scripted:
    calls = [CallDelta(ToolCall(str(n), "audio_search", {"query": query})) for n, query in enumerate(queries)]
    return Scripted([lambda *_: calls, lambda *_: [TextDelta("As you wish.")]])


def test_the_model_reads_the_choice_and_the_loop_gets_the_voice(voices: VoiceSearch) -> None:
    result = call("温柔的女声，要年轻的", voices)
    assert isinstance(result.voice, Voice) and result.voice.id == "ruby"
    assert result.text.startswith("The voice is now Ruby: A cheerful young woman")


def test_runners_up_are_named(library: VoiceLibrary) -> None:
    library.add(tone(120, 2), id="otis", name="Otis", description="An old man who is calm.", gender="male", age="old",
                language="en", licence="CC0-1.0", consent=library.card("walter").consent)  # fmt: skip
    assert "Runners-up: " in call("a calm old man", VoiceSearch(library)).text


def test_of_two_searches_in_one_turn_both_have_results_and_the_last_sets_the_voice(library: VoiceLibrary) -> None:
    agent = Agent(both("a robot", "a cheerful young woman"), tools=["audio_search"], voices=library)

    async def listen() -> tuple[list[str], set[str]]:
        events = [event async for event in agent.stream("first a robot, no, a young woman")]
        changed = [event.voice.id for event in events if isinstance(event, VoiceChanged) and event.voice]
        (end,) = [event for event in events if event.type == "turn.finished"]
        return changed, {run.result.text.split(":")[0] for run in end.reply.tool_calls}

    changed, texts = asyncio.run(listen())
    assert changed == ["robot", "ruby"]
    assert texts == {"The voice is now Zed", "The voice is now Ruby"}


def test_a_search_without_results_keeps_the_voice(library: VoiceLibrary) -> None:
    agent = Agent(both("a refrigerator door"), tools=["audio_search"], voices=library, voice="ruby")
    reply = agent.run_sync("speak like a refrigerator door")
    assert reply.voice is not None and reply.voice.id == "ruby" and reply.text == "As you wish."
    assert reply.tool_calls[0].result.text.startswith("audio_search failed: no voice in the library fits")


class Slow(VoiceSearch):
    """A search during which another process revokes the voice that it found."""

    def search(self, *arguments: Any, **options: Any) -> list[VoiceMatch]:
        found = super().search(*arguments, **options)
        VoiceLibrary(self.library.folder).revoke(found[0].voice.id)
        return found


def test_a_voice_revoked_after_the_search_is_not_used(library: VoiceLibrary) -> None:
    with pytest.raises(ToolError, match="no voice in the library fits 'a robot'"):
        call("a robot", Slow(library))


def test_the_users_voice_is_not_copied_without_permission(voices: VoiceSearch) -> None:
    with pytest.raises(ToolError, match="not permitted here; say so"):
        call("the voice of the person who is talking now", voices, spoken())


def test_the_users_turn_becomes_a_voice_with_permission(library: VoiceLibrary) -> None:
    permitted = VoiceSearch(library, may_copy_talker=True)
    voice = call("用我的声音", permitted, spoken()).voice
    assert isinstance(voice, Voice) and voice.require("synthesis") is voice
    assert voice.clip.duration == pytest.approx(3.0)
    assert voice.card.consent is not None and voice.card.consent.basis == "speaker"
    with pytest.raises(ConsentError):
        voice.require("advertising")
    assert not voice.path.exists() and len(library) == 4


def test_the_users_voice_is_written_to_no_file(
    library: VoiceLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    voice = call("my voice", VoiceSearch(library, may_copy_talker=True), spoken()).voice
    assert isinstance(voice, Voice) and voice.clip.duration == pytest.approx(3.0)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_reason_is_given_when_the_users_voice_cannot_be_copied(library: VoiceLibrary) -> None:
    permitted = VoiceSearch(library, may_copy_talker=True)
    written = Conversation()
    written.add("user", TextPart("sound like me"))
    with pytest.raises(ToolError, match="wrote instead of speaking"):
        call("like me", permitted, written)
    with pytest.raises(ToolError, match=r"spoke for 0\.5 s, too short"):
        call("like me", permitted, spoken(0.5))
