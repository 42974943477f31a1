"""`event.type` tells type checkers which event it is: `make check` fails where the types below are not inferred."""

from __future__ import annotations

from typing import assert_never, assert_type, get_args

from agentaudio import Agent, Audio
from agentaudio.events import AudioSpoken, BaseEvent, Event, TextSpoken, TurnFinished
from agentaudio.live.events import AnyLiveEvent, LiveEvent, NoticeSpoken
from agentaudio.model.scripted import Scripted


async def test_the_type_of_an_event_narrows_it() -> None:
    words, sound_s, replies = "", 0.0, []
    async for event in Agent(Scripted(["Hello there."])).stream("hi"):
        if event.type == "text.delta":
            assert_type(event, TextSpoken)
            words += event.text
        elif event.type == "audio.delta":
            assert_type(event, AudioSpoken)
            sound: Audio = event.audio
            sound_s += sound.duration
        elif event.type == "turn.finished":
            assert_type(event, TurnFinished)
            replies.append(event.reply.text)
    assert (words.strip(), replies) == ("Hello there.", ["Hello there."]) and sound_s > 0


def phase(event: Event | AnyLiveEvent) -> str:
    match event.type:
        case "turn.started" | "turn.stopped" | "turn.finished" | "turn.failed" | "step.started" | "step.finished":
            return "turn"
        case "heard" | "text.delta" | "audio.delta" | "text.unspoken" | "voice.changed" | "citation":
            return "speech"
        case "tool.started" | "tool.progress" | "tool.finished" | "tool.requested":
            return "tool"
        case "saving.failed" | "saving.resumed":
            return "saving"
        case "conversation.compacted":
            return "history"
        case "notice":
            assert_type(event, NoticeSpoken)
            return event.reason
        case "notice.finished":
            return "notice"
        case "user.started" | "user.stopped" | "user.idle" | "turn.committed":
            return "user"
        case "agent.started" | "agent.paused" | "agent.resumed" | "agent.stopped" | "agent.finished":
            return "agent"
        case _:
            assert_never(event.type)


def test_each_kind_of_event_has_a_type_of_its_own_and_is_in_the_union() -> None:
    turn, live = get_args(Event), get_args(AnyLiveEvent)
    # By name: a dataclass with slots is made twice.
    names = [{kind.__name__ for kind in base.__subclasses__()} for base in (BaseEvent, LiveEvent)]
    assert [{kind.__name__ for kind in turn} | {"LiveEvent"}, {kind.__name__ for kind in live}] == names
    types = [kind.type for kind in (*turn, *live)]
    assert len(types) == len(set(types)) and isinstance(TextSpoken(turn=1, at_s=0.0, text=""), Event)
    assert phase(TextSpoken(turn=1, at_s=0.0, text="")) == "speech"
