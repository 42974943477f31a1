"""`Observer`: turns the events of a session into what was observed in a turn of a suite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from agentaudio import events
from agentaudio.conversation import Citation, Conversation
from agentaudio.errors import AgentAudioError
from agentaudio.events import BaseEvent
from agentaudio.live.events import NoticeSound
from agentaudio.live.latency import LatencyLedger
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio
from agentaudio.tools.execution import ToolRun
from agentaudio.voice_library.voice import Voice


@dataclass(slots=True)
class _Answer:
    """What one turn of the agent has brought so far."""

    text: str = ""
    heard: str | None = None
    sound: list[Audio] = field(default_factory=list)
    runs: list[ToolRun] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    voice: Voice | None = None
    reply: Reply | None = None
    error: str | None = None

    def take(self, event: BaseEvent) -> None:
        match event:
            case NoticeSound():
                pass
            case events.TextSpoken(text=text):
                self.text += text
            case events.AudioSpoken(audio=audio):
                self.sound.append(audio)
            case events.SpeechHeard(text=text, final=True):
                self.heard = text
            case events.ToolFinished(run=run):
                self.runs.append(run)
            case events.PassageCited(citation=citation):
                self.citations.append(citation)
            case events.VoiceChanged(voice=voice):
                self.voice = voice
            case events.TurnFinished(reply=reply):
                self.reply = reply
            case events.TurnFailed(reply=reply, error=error):
                self.reply, self.error = reply, shown_error(error)

    def as_reply(self) -> Reply:
        """The reply; of a turn that was cut off, what it had brought until then."""
        if self.reply is not None:
            return self.reply
        return Reply(
            self.text,
            Audio.concat(self.sound) if self.sound else None,
            heard=self.heard,
            voice=self.voice,
            tool_calls=tuple(self.runs),
            citations=tuple(self.citations),
            stop="interrupted",
        )


class Observer:
    """Follows a session, whose turns answer the turns of a suite.

    voice: with which the session begins
    """

    def __init__(self, voice: Voice | None = None) -> None:
        self._ledger = LatencyLedger()
        self._answers: dict[int, _Answer] = {}
        self._voice = voice

    def take(self, event: BaseEvent) -> None:
        """Take an event of the session, in order."""
        if not isinstance(event, NoticeSound):
            self._ledger.take(event)
        if isinstance(event, events.TurnStarted):
            self._answers[event.turn] = _Answer(voice=self._voice)
        if (answer := self._answers.get(event.turn)) is not None:
            answer.take(event)
            self._voice = answer.voice

    def reply(self, turns: Iterable[int]) -> Reply | None:
        """The answers of some turns of the agent as one; None when there are none."""
        replies = [self._answers[turn].as_reply() for turn in turns if turn in self._answers]
        if not replies:
            return None
        whole = replies[0]
        for reply in replies[1:]:
            sounds = [sound for sound in (whole.audio, reply.audio) if sound is not None]
            whole = replace(
                reply,
                text=f"{whole.text} {reply.text}".strip(),
                audio=Audio.concat(sounds) if sounds else None,
                heard=whole.heard or reply.heard,
                tool_calls=(*whole.tool_calls, *reply.tool_calls),
                citations=(*whole.citations, *reply.citations),
            )
        return whole

    def error(self, turns: Iterable[int]) -> str | None:
        """Why one of the turns failed."""
        return next((error for turn in turns if turn in self._answers and (error := self._answers[turn].error)), None)

    def stages(self, turns: Iterable[int]) -> dict[str, float]:
        """The stages of the first of the turns that has any."""
        wanted = set(turns)
        return next((dict(one.stages) for one in self._ledger.turns if one.turn in wanted and one.stages), {})


def evidence(conversation: Conversation) -> list[str]:
    """What an answer may rely on: the words of the user, of the instructions, and of tools with their passages."""
    found = [message.text for message in conversation if message.role in ("system", "user")]
    for message in conversation:
        for output in message.tool_outputs:
            found.append(output.text)
            found += [f"{passage.title} {passage.text}" for passage in output.passages]
    return found


def results(conversation: Conversation) -> list[str]:
    """Names of the tools that have brought a result."""
    return [output.name for message in conversation for output in message.tool_outputs if not output.is_error]


def shown_error(error: BaseException) -> str:
    """Why a turn failed; of errors that are not ours with their class."""
    name = type(error).__name__
    return str(error) if isinstance(error, AgentAudioError) and str(error) else f"{name}: {error}".rstrip(": ")
