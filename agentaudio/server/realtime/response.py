"""`Response`: one response of the agent, as the events that clients know."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from agentaudio.conversation import ToolCall
from agentaudio.server.realtime.formats import SoundFormat, SoundOut
from agentaudio.server.realtime.history import History
from agentaudio.server.realtime.items import FunctionCall, Item, Message, new_id
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.server.realtime.playout import Playout
from agentaudio.server.realtime.share import Share, Spoken
from agentaudio.sound.audio import Audio
from agentaudio.sound.tempo import TempoStream


class Response:
    """Writes the events of a response, in the order in which clients expect them.

    history: of the session, which its items join; None for a response beside the conversation
    has_sound: whether it is spoken
    settings: what the response object shows besides: metadata, conversation_id, voice and so on
    turn: its number in the live session; None until it begins
    given: number of messages of that turn which it answers
    wanted: whether more of its sound is wanted, asked between two deltas
    released: called when its last event was sent
    facts: of our own, shown in the response object
    """

    def __init__(
        self,
        out: Outgoing,
        history: History | None,
        *,
        has_sound: bool,
        form: SoundFormat,
        speed: float,
        settings: Mapping[str, Any],
    ) -> None:
        self.id = new_id("resp")
        self.turn: int | None = None
        self.given = 0
        self.share = Share()
        self.playout = Playout()
        self.has_sound = has_sound
        self.is_over = False
        self.failure: BaseException | None = None
        self.speed = speed
        self.step = 0  # number of the generation that runs
        self.facts: dict[str, Any] = {}
        self.wanted: Callable[[], bool] = lambda: True
        self.released: Callable[[], None] | None = None
        self._out, self._history, self._form, self._settings = out, history, form, settings
        self._sound_out = SoundOut(form)
        self._tempo: TempoStream | None = None
        self._output: list[Item] = []
        self._open: Spoken | None = None
        self._has_part = False
        self._rate_hz = form.rate_hz

    def created(self) -> None:
        """The response begins."""
        if self._history is not None:
            self._history.begin(self.share)
        self._out.begin_answer()
        self._post("response.created", response=self._wire("in_progress", None, None))

    async def words(self, text: str) -> None:
        """More words of the answer."""
        await self._out.room(unless=self._is_unwanted)
        if self.is_over:
            return
        message = await self._message()
        message.add(text)
        kind = "response.output_audio_transcript.delta" if self.has_sound else "response.output_text.delta"
        self._post(kind, **self._place(message), delta=text)

    async def sound(self, audio: Audio, *, is_notice: bool = False) -> None:
        """More sound of the answer, or of a notice."""
        if not self.has_sound or self.is_over:
            return
        message = await self._message(is_notice=is_notice)
        if self.speed != 1.0:
            if self._tempo is None or self._rate_hz != audio.sample_rate:
                self._tempo, self._rate_hz = TempoStream(self.speed, audio.sample_rate), audio.sample_rate
            audio = self._tempo.push(audio)
        message.add(audio)
        await self._send(message, self._sound_out.push(audio))

    async def call(self, call: ToolCall) -> None:
        """A call that the client runs."""
        await self.step_ended()
        if self.is_over:
            return
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
        item = FunctionCall(new_id("item"), new_id("call"), call.name, "", "in_progress")
        self.share.calls[item.id] = item, call
        index = self._add(item)
        place = {"response_id": self.id, "item_id": item.id, "output_index": index, "call_id": item.call_id}
        self._post("response.function_call_arguments.delta", **place, delta=arguments)
        item.arguments, item.status = arguments, "completed"
        self._post("response.function_call_arguments.done", **place, name=item.name, arguments=arguments)
        self._end(item, index)

    async def step_ended(self) -> None:
        """The words and sound so far are one message."""
        await self._flush()
        if not self.is_over:
            self._close("completed", complete=True)

    def stop_sound(self) -> None:
        """The client plays nothing more of it: what was played until now was heard."""
        if self.playout.left_s > 0:
            self._out.withdraw_sound(self.id)
            self.share.hear_until(self.playout.position_s)
            self.playout.stop()

    async def notice(self, text: str) -> None:
        """Words that the agent says besides, which are not part of the conversation."""
        await self.step_ended()
        if self.is_over:
            return
        message = await self._message(is_notice=True)
        message.add(text)
        kind = "response.output_audio_transcript.delta" if self.has_sound else "response.output_text.delta"
        self._post(kind, **self._place(message), delta=text)

    async def complete(self, usage: Mapping[str, float], *, reason: str | None = None) -> None:
        """The answer is complete; reason: why it is not whole, such as "max_output_tokens"."""
        if self.is_over:
            return
        await self._flush()
        if self.is_over:
            return
        self._close("completed" if reason is None else "incomplete", complete=True)
        details = None if reason is None else {"type": "incomplete", "reason": reason}
        self._done("completed" if reason is None else "incomplete", details, usage)

    def cancel(self, reason: str) -> None:
        """Stop at once. reason: turn_detected or client_cancelled"""
        if self.is_over:
            return
        self._out.withdraw_sound(self.id)
        self._sound_out.reset()
        heard_s = self.playout.position_s
        self.playout.stop()
        self._close("incomplete")
        self.share.hear_until(heard_s)
        self._done("cancelled", {"type": "cancelled", "reason": reason}, {})

    def fail(self, code: str, message: str) -> None:
        """It has failed."""
        if self.is_over:
            return
        self._close("incomplete")
        error = {"type": "server_error", "code": code, "message": message}
        self._done("failed", {"type": "failed", "error": error}, {})

    async def _message(self, *, is_notice: bool = False) -> Spoken:
        """The message that is being said; a new one where there is none."""
        step = 0 if is_notice else self.step
        if self._open is not None and self._open.step != step:
            await self.step_ended()
        if self._open is None:
            item = Message(new_id("item"), "assistant", [], "in_progress", said="", sound=self.has_sound)
            self._open = Spoken(item, step, self.speed)
            self.share.spoken.append(self._open)
            # An item that has begun has no content yet.
            index = self._add(item, item.to_wire() | {"content": []})
            part = {"type": "audio", "transcript": ""} if self.has_sound else {"type": "text", "text": ""}
            place = {"response_id": self.id, "item_id": item.id, "output_index": index, "content_index": 0}
            self._post("response.content_part.added", **place, part=part)
        return self._open

    def _add(self, item: Item, wire: dict[str, Any] | None = None) -> int:
        wire = item.to_wire() if wire is None else wire
        index = len(self._output)
        self._output.append(item)
        self._post("response.output_item.added", response_id=self.id, output_index=index, item=wire, **self._own())
        if self._history is not None:
            previous = self._history.append(item)
            self._post("conversation.item.added", previous_item_id=previous, item=wire)
        return index

    def _close(self, status: Any, *, complete: bool = False) -> None:
        """End the message that is being said. complete: the generation has come to its end"""
        message, self._open = self._open, None
        if message is None:
            return
        place, item = self._place(message), message.item
        item.status = status
        message.close(complete=complete)
        text = item.said or ""
        if self.has_sound:
            self._post("response.output_audio.done", **place)
            self._post("response.output_audio_transcript.done", **place, transcript=text)
            part = {"type": "audio", "transcript": text}
        else:
            self._post("response.output_text.done", **place, text=text)
            part = {"type": "text", "text": text}
        self._post("response.content_part.done", **place, part=part)
        self._end(item, place["output_index"])

    def _end(self, item: Item, index: int) -> None:
        wire = item.to_wire()
        self._post("response.output_item.done", response_id=self.id, output_index=index, item=wire)
        if self._history is not None:
            previous = self._history.before(item.id)
            self._post("conversation.item.done", previous_item_id=previous, item=wire)

    async def _flush(self) -> None:
        if self._open is not None and self.has_sound:
            message = self._open
            if self._tempo is not None:
                rest, self._tempo = self._tempo.finish(), None
                message.add(rest)
                await self._send(message, self._sound_out.push(rest))
            await self._send(message, self._sound_out.finish())

    async def _send(self, message: Spoken, pieces: list[bytes]) -> None:
        for piece in pieces:
            await self._out.room(unless=self._is_unwanted)
            if self._is_unwanted():
                return
            seconds = len(piece) / (self._form.sample_bytes * self._form.rate_hz)
            self.playout.add(seconds)
            delta = base64.b64encode(piece).decode("ascii")
            event = {"type": "response.output_audio.delta", **self._place(message), "delta": delta}
            self._out.post(event, sound_of=self.id, seconds=seconds, sent=partial(self._sent, message, seconds))

    def _is_unwanted(self) -> bool:
        return self.is_over or not self.wanted()

    def _sent(self, message: Spoken, seconds: float) -> None:
        message.sent_s += seconds
        self.playout.sent(seconds)

    def _place(self, message: Spoken) -> dict[str, Any]:
        index = next(at for at, one in enumerate(self._output) if one is message.item)
        return {"response_id": self.id, "item_id": message.item.id, "output_index": index, "content_index": 0}

    def _own(self) -> dict[str, Any]:
        """What of our own goes with a known event: the tools that ran or run."""
        return {"agentaudio": {"tools": self.facts["tools"]}} if self.facts.get("tools") else {}

    def _done(self, status: str, details: Any, usage: Mapping[str, float]) -> None:
        self.is_over = True
        done = {"type": "response.done", "response": self._wire(status, details, _usage(usage))}
        self._out.post(done, sent=self.released)

    def _wire(self, status: str, details: Any, usage: Any) -> dict[str, Any]:
        return {
            "object": "realtime.response", "id": self.id, "status": status, "status_details": details,
            "output": [item.to_wire() for item in self._output], "usage": usage, **self._settings,
            "agentaudio": dict(self.facts),
        }  # fmt: skip

    def _post(self, kind: str, **fields: Any) -> None:
        self._out.post({"type": kind, **fields})


def _usage(counts: Mapping[str, float]) -> dict[str, Any]:
    """Usage as clients know it, from the counts of a Reply; what a model does not count is 0."""

    def of(name: str) -> int:
        return int(counts.get(name, 0))

    into, out = of("input_tokens"), of("output_tokens")
    audio_in, audio_out = of("input_audio_tokens"), of("output_audio_tokens")
    cached = of("input_cached_tokens")
    return {
        "total_tokens": into + out, "input_tokens": into, "output_tokens": out,
        "input_token_details": {
            "text_tokens": max(0, into - audio_in), "audio_tokens": audio_in, "image_tokens": 0,
            "cached_tokens": cached,
            "cached_tokens_details": {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": max(0, out - audio_out), "audio_tokens": audio_out},
    }  # fmt: skip
