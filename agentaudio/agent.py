"""`Agent`: the loop. Hear, generate, run the tools, feed back text and voice, generate again, speak."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from agentaudio import events
from agentaudio.conversation import (
    AudioPart,
    Citation,
    Conversation,
    Part,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolOutput,
    ToolSpec,
)
from agentaudio.errors import AgentAudioError, AudioError, BackendError, ConsentError, OptionError
from agentaudio.events import Event
from agentaudio.model.registry import load_model
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    CitationDelta,
    End,
    GenerateOptions,
    Heard,
    SpeechLM,
    TextDelta,
    TokensDelta,
)
from agentaudio.reply import Reply
from agentaudio.resources import Documents, Resources, Voices
from agentaudio.retrieval.citation import cite
from agentaudio.session import Session, UserInput
from agentaudio.sound.audio import Audio
from agentaudio.tools.context import RunContext
from agentaudio.tools.discovery import ToolLike, find_tools
from agentaudio.tools.execution import Approve, ToolRun, TurnCalls
from agentaudio.tools.result import ToolResult
from agentaudio.voice_library.voice import Voice

_AnyEvent = TypeVar("_AnyEvent", bound=Event)

SOUND_SUFFIXES = frozenset(".wav .flac .mp3 .ogg .opus .oga .aiff .aif .m4a .mp4 .webm".split())
MAX_STEPS = 6

log = logging.getLogger(__name__)


class Agent:
    """A speech model with tools, documents and voices; each `session()` is a conversation of its own.

    model: a name for `load_model`, or a SpeechLM
    tools: names of installed tools, what `@tool` returned, or plain typed functions
    documents: folder for `search_documents`; None takes the demo documents
    voices: library for `audio_search`; None takes the demo voices
    voice: id, name or Voice to start with; None is the model's own
    instructions: what the model should be and do, as a system message
    approve: asked before a tool with `approval` runs; plain or async, True lets it; None denies
    max_steps: generations in one turn; the last one gets no tools, so that it must answer

    Raises what is wrong with any of these at once: ModelNotFound, ToolNotFound, VoiceNotFound ...
    """

    def __init__(
        self,
        model: str | SpeechLM = "embedded",
        *,
        tools: Iterable[ToolLike] = (),
        documents: Documents | None = None,
        voices: Voices | None = None,
        voice: str | Voice | None = None,
        instructions: str | None = None,
        options: GenerateOptions = GenerateOptions(),
        approve: Approve | None = None,
        max_steps: int = MAX_STEPS,
    ) -> None:
        if max_steps < 1:
            raise OptionError(f"max_steps is {max_steps}; a turn needs at least 1")
        self.tools = find_tools(tools)
        self.resources = Resources(documents, voices)
        if isinstance(voice, str):
            voice = self.resources.open()[1].library.get(voice)
        self.voice = voice.require("synthesis") if voice is not None else None
        self.instructions = instructions
        self.options = options
        self.approve = approve
        self.max_steps = max_steps
        self._specs: list[ToolSpec] | None = None
        self.model = load_model(model) if isinstance(model, str) else model

    def session(self) -> Session:
        """A new conversation, for several turns."""
        return Session(self._run_turn, instructions=self.instructions, voice=self.voice)

    async def run(self, user: UserInput) -> Reply:
        """One turn in a conversation of its own. user: text, Audio, or a sound file (path, bytes, file)."""
        return await self.session().run(user)

    def run_sync(self, user: UserInput) -> Reply:
        """`run` for programs without an event loop."""
        return self.session().run_sync(user)

    def stream(self, user: UserInput) -> AsyncIterator[Event]:
        """One turn in a conversation of its own, event by event."""
        return self.session().stream(user)

    async def warm_up(self) -> None:
        """Load models, documents and voices now, so that the first answer comes as fast as the others."""
        specs: list[ToolSpec] = []
        if self.tools:
            await asyncio.to_thread(self.resources.prepare)
            specs = self.specs(self.resources.context(Conversation(), self.voice))
        await self.model.warm_up(specs)

    def specs(self, context: RunContext) -> list[ToolSpec]:
        """What the model is told about the tools."""
        if self._specs is None:
            self._specs = [tool.spec(context) for tool in self.tools.values()]
        return self._specs

    async def _run_turn(self, session: Session, number: int, user: UserInput, emit: Callable[[Event], None]) -> Reply:
        return await Turn(self, session, number, emit).run(user)

    async def aclose(self) -> None:
        """Free the model, and what the tools hold."""
        for tool in self.tools.values():
            if tool.release is not None:
                await tool.release()
        await self.model.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Turn:
    """One turn of a session: an input comes in, `emit` is told what happens, a Reply comes out.

    A turn that fails leaves conversation and voice as they were. One that is cancelled keeps what
    was said, marked as interrupted, and answers every open call, so the next turn can follow.
    """

    def __init__(self, agent: Agent, session: Session, number: int, emit: Callable[[Event], None]) -> None:
        self._agent, self._session, self._number, self._emit = agent, session, number, emit
        self._begun = time.perf_counter()
        self._text: list[str] = []
        self._sound: list[Audio] = []
        self._runs: list[ToolRun] = []
        self._citations: list[Citation] = []
        self._heard: Heard | None = None
        self._timings: dict[str, float] = {}
        self._calls = TurnCalls(
            agent.tools,
            started=lambda call: self._tell(events.ToolStarted, call=call),
            finished=self._take_run,
            progressed=lambda call, message, share: self._tell(
                events.ToolProgress, call=call, message=message, share=share
            ),
            approve=agent.approve,
            late=self._take_late,
        )

    async def run(self, user: UserInput) -> Reply:
        session = self._session
        before, voice_before = session.conversation.copy(), session.voice
        self._tell(events.TurnStarted)
        try:
            await self._hear(user)
            stop = await self._think_and_act()
            return self._finish(stop)
        except asyncio.CancelledError:
            self._finish("interrupted")
            raise
        except Exception as error:
            session.conversation.messages[:] = before.messages
            session.voice = voice_before
            failure = error if isinstance(error, AgentAudioError) else _backend_error(self._agent, error)
            self._tell(events.TurnFailed, error=failure)
            if failure is error:
                raise
            raise failure from error

    async def _hear(self, user: UserInput) -> None:
        if isinstance(user, str) and not _is_path(user):
            if not user.strip():
                raise AudioError("the input is empty; say or write something")
            self._session.conversation.add("user", TextPart(user))
            return
        audio = await asyncio.to_thread(Audio.load, user)
        name = str(user) if isinstance(user, str | os.PathLike) else "the input"
        model = self._agent.model
        if not model.capabilities.hears:
            raise OptionError(f"model {model.name!r} cannot hear; give it text, or take a model that hears")
        if not len(audio):
            raise AudioError(f"{name} holds no sound; record it again")
        if audio.is_silent:
            raise AudioError(f"{name} is silent (peak {audio.peak:.0e}); check the microphone and record it again")
        if audio.duration > model.capabilities.max_audio_s:
            raise AudioError(
                f"{name} lasts {audio.duration:.0f} s, and model {model.name!r} takes at most "
                f"{model.capabilities.max_audio_s:.0f} s; cut it first"
            )
        self._session.conversation.add("user", AudioPart(audio))

    async def _think_and_act(self) -> Literal["answered", "max_steps"]:
        resources = self._agent.resources
        if self._agent.tools and not resources.ready:
            await asyncio.to_thread(resources.open)
        for step in range(1, self._agent.max_steps + 1):
            context = self._context()
            last = step == self._agent.max_steps
            specs = [] if last else self._agent.specs(context)
            calls = await self._generate(specs)
            if not calls:
                return "max_steps" if last and step > 1 else "answered"
            await self._act(calls, context)
        return "max_steps"

    def _context(self) -> RunContext:
        session = self._session
        if not self._agent.tools:
            return RunContext(session.conversation.copy(), session.voice)
        return self._agent.resources.context(session.conversation.copy(), session.voice)

    async def _generate(self, specs: Sequence[ToolSpec]) -> list[CallDelta]:
        """One step: speak what the model says, and collect the calls it makes."""
        session, model = self._session, self._agent.model
        said: list[str] = []
        sound: list[Audio] = []
        tokens: SpeechTokens | None = None
        calls: list[CallDelta] = []
        completed = False
        voice = await self._permitted_voice()
        deltas = model.generate(session.conversation.copy(), tools=specs, voice=voice, options=self._agent.options)
        try:
            async with contextlib.aclosing(deltas) as stream:
                async for delta in stream:
                    match delta:
                        case Heard():
                            self._take_heard(delta)
                        case TextDelta(text=text):
                            said.append(text)
                            self._tell(events.TextDelta, text=text)
                        case AudioDelta(audio=audio):
                            self._timings.setdefault("first_audio", self._now())
                            sound.append(audio)
                            self._tell(events.AudioDelta, audio=audio)
                        case TokensDelta(tokens=more):
                            tokens = more if tokens is None else tokens + more
                        case CallDelta():
                            calls.append(delta)
                        case CitationDelta(citation=citation):
                            self._cite(citation)
                        case End():
                            break
            completed = True
        finally:
            text = "".join(said).strip()
            self._text.append(text)
            self._sound += sound
            parts: list[Part] = []
            if text or sound:
                whole = Audio.concat(sound) if sound else None
                parts.append(SpeechPart(text, whole, tokens, interrupted=not completed))
            if completed:
                parts += [delta.call for delta in calls]
            if parts:
                session.conversation.add("assistant", *parts)
        return calls

    async def _act(self, deltas: Sequence[CallDelta], context: RunContext) -> None:
        """Run the calls and append their outputs, also when cancelled in the middle."""
        asked = [delta.call.id for delta in deltas]
        before = len(self._runs)
        try:
            for delta in deltas:
                if delta.problem is not None:
                    self._tell(events.ToolStarted, call=delta.call)
                    self._take_run(ToolRun(delta.call, "failed", ToolResult(delta.problem), 0.0))
            await self._calls.run([delta.call for delta in deltas if delta.problem is None], context)
        finally:
            self._runs[before:] = sorted(self._runs[before:], key=lambda run: asked.index(run.call.id))
            ended = {run.call.id: run for run in self._runs[before:]}
            outputs = [
                ended[d.call.id].output
                if d.call.id in ended
                else ToolOutput(d.call.id, d.call.name, "The call was cancelled.", is_error=True)
                for d in deltas
            ]
            self._session.conversation.add("tool", *outputs)
        for delta in deltas:
            self._change_voice(ended[delta.call.id].result)

    def _take_run(self, run: ToolRun) -> None:
        run = self._take_voice(run)
        self._runs.append(run)
        self._tell(events.ToolFinished, run=run)

    def _take_late(self, run: ToolRun) -> None:
        """A tool that carried on after an interruption has ended: the next turn reads what came of it."""
        messages = self._session.conversation.messages
        for position, message in enumerate(messages):
            if any(output.call_id == run.call.id for output in message.tool_outputs):
                parts = (run.output if part.call_id == run.call.id else part for part in message.tool_outputs)
                messages[position] = replace(message, parts=tuple(parts))

    def _take_heard(self, heard: Heard) -> None:
        if self._heard is None:
            self._heard = heard
            self._timings["heard"] = self._now()
            user = self._session.conversation.last_user
            if user is not None and any(isinstance(part, AudioPart) for part in user.parts):
                self._session.conversation.set_transcript(heard.text)
            self._tell(events.Heard, text=heard.text, confidence=heard.confidence)

    def _take_voice(self, run: ToolRun) -> ToolRun:
        model = self._agent.model
        if run.result.voice is None or model.capabilities.voices == "any":
            return run
        return ToolRun(run.call, "failed", ToolResult(f"Model {model.name!r} cannot change its voice."), run.duration_s)

    async def _permitted_voice(self) -> Voice | None:
        """The session's voice; the model's own from the moment on when that was revoked or its consent ended."""
        voice = self._session.voice
        try:
            return None if voice is None else await asyncio.to_thread(voice.require, "synthesis")
        except ConsentError as refusal:
            log.warning("%s; the model's own voice is used", refusal)
            self._speak_in(None)
            return None

    def _change_voice(self, result: ToolResult) -> None:
        if result.voice is not None:
            self._speak_in(self._agent.voice if result.voice == "default" else result.voice)

    def _speak_in(self, voice: Voice | None) -> None:
        if voice != self._session.voice:
            self._session.voice = voice
            self._tell(events.VoiceChanged, voice=voice)

    def _cite(self, citation: Citation) -> None:
        if citation not in self._citations:
            self._citations.append(citation)
            self._tell(events.CitationUsed, citation=citation)

    def _finish(self, stop: Literal["answered", "max_steps", "interrupted"]) -> Reply:
        if stop != "interrupted" and not self._agent.model.capabilities.cites:
            read = [passage for run in self._runs for passage in run.result.passages]
            for citation in cite(" ".join(self._text), read):
                self._cite(citation)
        self._timings["total"] = self._now()
        reply = Reply(
            text=" ".join(text for text in self._text if text),
            audio=Audio.concat(self._sound) if self._sound else None,
            heard=self._heard.text if self._heard else None,
            confidence=self._heard.confidence if self._heard else None,
            voice=self._session.voice,
            tool_calls=tuple(self._runs),
            citations=tuple(self._citations),
            stop=stop,
            timings=self._timings,
        )
        self._tell(events.TurnFinished, reply=reply)
        return reply

    def _now(self) -> float:
        return time.perf_counter() - self._begun

    def _tell(self, kind: type[_AnyEvent], **fields: Any) -> None:
        self._emit(kind(turn=self._number, at_s=self._now(), **fields))


def _is_path(user: str) -> bool:
    """A string is a sound file when it is spelled like one; anything else is what the user wrote."""
    return "\n" not in user and len(user) < 1024 and Path(user).suffix.lower() in SOUND_SUFFIXES


def _backend_error(agent: Agent, error: Exception) -> BackendError:
    return BackendError(f"model {agent.model.name!r} failed: {error!r}; see the log, or try again")
