"""`RealtimeSession`: one client's conversation with the agent. Client events go in, server events come out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Self

from agentaudio.events import Event
from agentaudio.live.events import (
    AgentPaused,
    AgentResumed,
    AnyLiveEvent,
    NoticeSpoken,
    TurnCommitted,
    UserStarted,
    UserStopped,
)
from agentaudio.live.session import LiveSession
from agentaudio.live.settings import LiveSettings
from agentaudio.server.auth import Caller
from agentaudio.server.errors import log_failure
from agentaudio.server.realtime.context import Context
from agentaudio.server.realtime.ears import ears_for, turn_model_for
from agentaudio.server.realtime.history import History
from agentaudio.server.realtime.items import FunctionOutput, new_id, read_item
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.server.realtime.reading import event_id, read_event
from agentaudio.server.realtime.refusal import Refusal, wrong_type
from agentaudio.server.realtime.responses import Responses
from agentaudio.server.realtime.resuming import resume
from agentaudio.server.realtime.session_object import SessionObject
from agentaudio.server.realtime.shortening import MOST_FACTS_BYTES, shortened
from agentaudio.server.realtime.user_sound import UserSound
from agentaudio.server.realtime.voices import shown
from agentaudio.server.state import ServerState
from agentaudio.session import Session
from agentaudio.sound.audio import Audio

log = logging.getLogger(__name__)

OWN_EVENTS = frozenset(
    (
        "tool.started", "tool.progress", "tool.finished", "voice.changed", "citation", "heard", "agent.paused",
        "agent.resumed", "notice", "notice.finished", "user.stopped", "user.idle",
    )
)  # fmt: skip
"""What clients that ask for it get as `agentaudio.event`, because the protocol has no event for it."""
NEWS_S = 0.3
CLOSE_S = 0.5
"""How long the end of a session waits for its model."""
TEXTS = 10
"""Texts of the greatest length that one conversation holds."""


class RealtimeSession:
    """Use it as `async with`; then call `receive` for each client event and read `out`.

    caller: whose budget it uses; its client secret may hold settings
    out: takes the server events
    session: of the agent, such as a stored one, with whose conversation it goes on; None for a new one
    name: of a stored session; None for one that ends with its connection
    given: settings that came with the connection, which follow those of the client secret
    wants_events: whether the client asked for events of our own when it connected
    """

    def __init__(
        self,
        state: ServerState,
        caller: Caller,
        out: Outgoing,
        *,
        session: Session | None = None,
        name: str | None = None,
        given: Mapping[str, Any] | None = None,
        wants_events: bool = False,
    ) -> None:
        self._state, self._caller, self._out = state, caller, out
        self._agent_session = session or state.agent.session(plays=False)
        self._settings = SessionObject(
            name or new_id("sess"), state.agent.setup.model.name, longest_text=state.settings.text_chars
        )
        for settings in (caller.session, given):
            if settings:
                self._settings.update(dict(settings))
        self._settings.wants_events |= wants_events
        limits = state.settings
        self.history = History(limits.messages, text_chars=TEXTS * limits.text_chars, sound_s=limits.sound_s)

    async def __aenter__(self) -> Self:
        agent = self._state.agent
        session = self._agent_session
        resumed = resume(self.history, session.conversation)
        session.setup = await self._state.setup(self._caller)
        ears = await ears_for(agent)
        live_settings = LiveSettings(
            ears=ears, turn_model=await turn_model_for(ears, self._state.settings.turn_model),
            turn_taking=None, plays=False, answers=False, echo_guard=False,
            first_word_s=self._state.settings.first_word_s,
        )  # fmt: skip
        self.live = LiveSession(session, live_settings, self._tell_of_user)
        self._context = context = Context(
            state=self._state, caller=self._caller, setup=session.setup, live=self.live, settings=self._settings,
            history=self.history, out=self._out,
        )  # fmt: skip
        await self.live.__aenter__()
        self.responses = Responses(context, lambda text: self.user.heard(text))
        self.user = UserSound(context, self.responses)
        refused = await self._begin_in_voice()
        context.start(self._pump(), "events")
        if any(tool.background for tool in agent.tools.values()):
            context.start(self._watch_news(), "news")
        context.post("session.created", session=self._session())
        for before, item in zip([None, *resumed], resumed, strict=False):
            self._out.announce(item, None if before is None else before.id)
        if refused is not None:
            self._out.post(refused.event(None))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End at once. A model that does not heed its cancellation ends later, and nobody waits for it."""
        tasks = list(self._context.tasks)
        for task in tasks:
            task.cancel()
        self.responses.close()
        self._out.close()
        closing = asyncio.create_task(self.live.aclose(), name="agentaudio-realtime-close")
        await asyncio.wait([closing, *tasks], timeout=CLOSE_S)
        if not closing.done():
            log.warning("the model goes on with an answer for a client that has gone")
            self._state.leaving.add(closing)
            closing.add_done_callback(self._state.leaving.discard)

    async def receive(self, message: str | bytes) -> None:
        """Take a client event, as JSON. What is wrong with it becomes an `error` event."""
        event = None
        try:
            event = read_event(message)
            await self._take(event)
        except Refusal as refusal:
            self._out.post(refusal.event(event_id(event)))
        except Exception as error:  # no event of a client may end its session
            log_failure(error)
            failure = Refusal("The server could not do that.", code="server_error", kind="server_error")
            self._out.post(failure.event(event_id(event)))

    def hear(self, audio: Audio) -> None:
        """Take sound of the user that does not come as events."""
        try:
            self.user.push(audio)
        except Refusal as refusal:
            self._out.post(refusal.event(None))

    async def _begin_in_voice(self) -> Refusal | None:
        """Speak in the voice that came with a client secret, or as before. Returns why it cannot be used."""
        if self._settings.voice == "default":
            if self.live.voice is not None:  # of a stored session
                self._settings.show_voice(self.live.voice.id)
            return None
        try:
            await self._change_voice(self._settings)
        except Refusal as refusal:
            self._settings.show_voice("default")
            return refusal
        return None

    async def _take(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "input_audio_buffer.append":
                self.user.append(event.get("audio"))
            case "input_audio_buffer.commit":
                self.user.commit()
            case "input_audio_buffer.clear":
                self.user.clear()
            case "session.update":
                await self._update(event.get("session"))
            case "conversation.item.create":
                await self._create(event)
            case "conversation.item.delete":
                self._delete(_item_id(event))
            case "conversation.item.truncate":
                await self._truncate(event)
            case "conversation.item.retrieve":
                self._retrieve(_item_id(event))
            case "response.create":
                given = event.get("response")
                await self.responses.create({} if given is None else given)
            case "response.cancel":
                await self.responses.cancel(event.get("response_id"))
            case "output_audio_buffer.clear":
                self.responses.stop_sound()
            case "agentaudio.played":
                self._played(event)
            case other:
                raise Refusal(f"Invalid value: '{other[:80]}'. There is no such client event.", param="type")

    async def _pump(self) -> None:
        """Tell the client what happens."""
        async for event in self.live:
            try:
                await self._tell(event)
            except Exception as error:
                log_failure(error)

    def _tell_of_user(self, event: AnyLiveEvent) -> None:
        """Tell the client at once what the user does: an answer may wait for its pace, or for the client to read."""
        try:
            self._show(event)
            match event:
                case UserStarted():
                    self.user.started(event)
                case UserStopped():
                    self.user.stopped(event)
                case TurnCommitted():
                    self.user.turn(event)
                case AgentPaused() | AgentResumed():
                    if self._settings.wants_events:
                        self.responses.hold(isinstance(event, AgentPaused))
        except Exception as error:
            log_failure(error)

    async def _tell(self, event: Event | AnyLiveEvent) -> None:
        self._show(event)
        match event:
            case NoticeSpoken(reason="idle"):
                now_ms = round(1000 * event.at_s)
                self._context.post(
                    "input_audio_buffer.timeout_triggered", audio_start_ms=max(0, now_ms - self.user.idle_ms),
                    audio_end_ms=now_ms, item_id=new_id("item"),
                )  # fmt: skip
                await self.responses.take(event)
            case _:
                await self.responses.take(event)

    def _show(self, event: Event | AnyLiveEvent) -> None:
        """Send an event of our own to a client that has asked for them."""
        if self._settings.wants_events and event.type in OWN_EVENTS:
            response_id = self.responses.id_of(event)
            self._context.post(
                "agentaudio.event", response_id=response_id, item_id=self.user.item_id,
                event=shortened(event.to_dict(), MOST_FACTS_BYTES),
            )  # fmt: skip

    async def _watch_news(self) -> None:
        while True:
            await asyncio.sleep(NEWS_S)
            self.responses.news()

    async def _update(self, change: Any) -> None:
        new = self._settings.copy()
        new.update(change)
        if new.tools and not self._context.setup.model.capabilities.calls_tools:
            raise Refusal(
                "The model of this server cannot call tools.", code="unsupported_tools", param="session.tools"
            )
        if new.voice != self._settings.voice:
            await self._change_voice(new)
        self._settings.take(new)
        self.user.changed()
        self._context.post("session.updated", session=self._session())

    async def _change_voice(self, settings: SessionObject) -> None:
        voice = await self._context.find_voice(settings.voice, "session.audio.output.voice")
        await self.live.change_voice(voice)
        if voice is not None:
            settings.show_voice(voice.id)

    async def _create(self, event: Mapping[str, Any]) -> None:
        previous_id = event.get("previous_item_id")
        if not isinstance(previous_id, str | None):
            raise wrong_type("previous_item_id", "a string")
        item = read_item(event.get("item"), self._context.limits)
        previous = self.history.add(item, previous_id)
        self._out.announce(item, previous)
        if isinstance(item, FunctionOutput):
            self.responses.output_came()

    def _delete(self, item_id: str) -> None:
        self.responses.let_go(item_id)
        self.history.delete(item_id)
        self.live.correct(self.history.ended())
        self._context.post("conversation.item.deleted", item_id=item_id)

    async def _truncate(self, event: Mapping[str, Any]) -> None:
        item_id, end_ms, index = _item_id(event), event.get("audio_end_ms"), event.get("content_index", 0)
        if isinstance(end_ms, bool) or not isinstance(end_ms, int | float) or not 0 <= end_ms < 1e9:
            raise wrong_type("audio_end_ms", "a number of 0 or more")
        if type(index) is not int:  # a message has one content, so any other index does no harm
            index = 0
        item = self.history.said(item_id)
        self.responses.let_go(item_id)
        self.responses.stop_sound_of(item_id)
        heard_ms = round(1000 * self.history.cut(item, end_ms / 1000))
        self.live.correct(self.history.ended())
        self._context.post("conversation.item.truncated", item_id=item_id, content_index=index, audio_end_ms=heard_ms)

    def _retrieve(self, item_id: str) -> None:
        item = self.history.get(item_id)
        if item is None:
            raise Refusal(f"There is no item '{item_id[:80]}'.", code="item_retrieve_invalid_item_id", param="item_id")
        self._context.post("conversation.item.retrieved", item=item.to_wire(self._settings.input_format))

    def _played(self, event: Mapping[str, Any]) -> None:
        end_ms, item_id = event.get("audio_ms"), event.get("item_id")
        if isinstance(end_ms, bool) or not isinstance(end_ms, int | float) or not 0 <= end_ms < 1e9:
            raise wrong_type("audio_ms", "a number of 0 or more")
        self.responses.played(str(item_id), end_ms / 1000)

    def _session(self) -> dict[str, Any]:
        tools = [{"name": tool.name, "description": tool.description} for tool in self._state.agent.tools.values()]
        own = {"events": self._settings.wants_events, "voice": shown(self.live.voice), "tools": tools}
        return self._settings.to_wire(beta=self._out.beta) | {"agentaudio": own}


def _item_id(event: Mapping[str, Any]) -> str:
    found = event.get("item_id")
    if not isinstance(found, str):
        raise wrong_type("item_id", "a string")
    return found
