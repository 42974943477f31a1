"""`UserSound`: the user's side of a session. Sound goes in; turns and their words become items."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from agentaudio.conversation import AudioPart
from agentaudio.errors import AudioError, OptionError
from agentaudio.live.events import TurnCommitted, UserStarted, UserStopped
from agentaudio.live.idle import IdlePrompts
from agentaudio.server.errors import ApiError
from agentaudio.server.realtime.context import Context
from agentaudio.server.realtime.formats import SoundIn
from agentaudio.server.realtime.input_buffer import InputBuffer, empty
from agentaudio.server.realtime.items import Message, decode_base64, new_id
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.server.realtime.responses import Responses
from agentaudio.server.realtime.turn_detection import Detection, detection
from agentaudio.sound.audio import Audio

IDLE_PROMPT = "Are you still there?"
TRANSCRIBED_AFTER_S = 0.3
"""A response that is asked for by then hears the words itself."""
QUIET_REFUSALS_S = 5.0
"""Within this time the same refusal of sound is sent once: it would come with every frame."""


class UserSound:
    """responses: end when the user interrupts, and begin when the user's turn is complete"""

    def __init__(self, context: Context, responses: Responses) -> None:
        self._context, self._responses = context, responses
        self._state, self._live = context.state, context.live
        self._settings, self._history = context.settings, context.history
        self._sound_in = SoundIn(context.settings.input_format)
        self._buffer = InputBuffer(context.longest_s)
        self._counted_s = self._state.metrics.sound_s.labels("in")
        self._refused: dict[str, float] = {}
        self._unheard = False  # the user has interrupted before anything of the answer was heard
        self.item_id: str | None = None  # of the turn that is open
        self._detection: Detection | None = None
        self._detect(self._wanted())

    @property
    def idle_ms(self) -> int:
        idle_s = None if self._detection is None else self._detection.idle_s
        return 0 if idle_s is None else round(1000 * idle_s)

    def changed(self) -> None:
        """The settings of the session have changed."""
        if self._settings.input_format != self._sound_in.form:
            self._sound_in = SoundIn(self._settings.input_format)
        if (wanted := self._wanted()) != self._detection:
            self._detect(wanted)

    def append(self, content: Any) -> None:
        """Take sound as base64. Raises Refusal."""
        sound = decode_base64(content, "audio")
        form = self._sound_in.form
        self._counted_s.inc(len(sound) / (form.sample_bytes * form.rate_hz))
        # While the agent speaks, the detector looks between its frames, too.
        if (whole := self._sound_in.push(sound, at_once=self._live.is_busy)) is not None:
            self._take(whole)

    def push(self, audio: Audio) -> None:
        """Take sound of the user. Raises Refusal, the same one once in QUIET_REFUSALS_S."""
        self._counted_s.inc(audio.duration)
        self._take(audio)

    def _take(self, audio: Audio) -> None:
        if not len(audio):
            return
        try:
            self._push(audio)
        except Refusal as refusal:
            now = time.monotonic()
            if now - self._refused.get(refusal.code, -QUIET_REFUSALS_S) >= QUIET_REFUSALS_S:
                self._refused[refusal.code] = now
                raise

    def commit(self) -> None:
        """End the user's turn. Raises Refusal when there is none."""
        if self._detection is not None:
            self._take(self._sound_in.rest())
            if not self._live.commit():
                raise empty(0.0)
            return
        if not self._context.setup.model.capabilities.hears:
            raise Refusal("The model of this server cannot hear; send text.", code="unsupported_content")
        self._take(self._sound_in.rest())
        self._committed(self._buffer.take(), None)

    def clear(self) -> None:
        """Forget what the user is saying."""
        self._sound_in.reset()
        self._buffer.clear()
        self._live.clear()
        self.item_id = None
        self._context.post("input_audio_buffer.cleared")

    def started(self, event: UserStarted) -> None:
        """The user has begun to speak."""
        self.item_id = new_id("item")
        start_ms = round(1000 * event.start_s)
        self._context.post("input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=self.item_id)
        if self._detection is None or self._detection.interrupts:
            self._unheard |= self._responses.interrupted()

    def stopped(self, event: UserStopped) -> None:
        """The user has stopped speaking."""
        item_id = self.item_id or new_id("item")
        self._context.post("input_audio_buffer.speech_stopped", audio_end_ms=round(1000 * event.end_s), item_id=item_id)
        self._responses.speech_ended(time.monotonic())
        if not event.answered:
            self.item_id = None
            if self._unheard and event.reason != "dropped":  # what was said before still wants an answer
                self._unheard = False
                self._responses.answer()

    def turn(self, event: TurnCommitted) -> None:
        """The user's turn is complete."""
        self._unheard = False
        self._committed(event.audio, event.text)
        if self._detection is not None and self._detection.answers:
            self._responses.answer()

    def heard(self, text: str) -> None:
        """The model has understood the user's sound."""
        item = self._history.heard(text)
        if item is not None and item.transcript is None:
            self._transcribed(item, text)

    def _push(self, audio: Audio) -> None:
        if audio.duration > self._context.longest_s:
            raise Refusal(
                f"One piece of sound lasts {audio.duration:.0f} s; at most {self._context.longest_s:g} s are taken.",
                code="audio_too_long", param="audio",
            )  # fmt: skip
        try:
            self._state.limits.take_sound(self._context.caller, audio.duration)
        except ApiError as error:
            raise Refusal(error.message, code=error.code) from None
        if self._detection is None:
            self._buffer.push(audio)
            return
        self._responses.report_played()
        try:
            self._live.push(audio)
        except OptionError:
            raise Refusal("The model of this server cannot hear; send text.", code="unsupported_content") from None
        except AudioError:
            raise Refusal("This sound cannot be taken.", code="invalid_audio", param="audio") from None

    def _committed(self, sound: Audio, words: str | None) -> None:
        """The user's sound is an item now. words: when the ears know them already"""
        known = words if self._live.hears_for_the_model else None
        item = Message(self.item_id or new_id("item"), "user", [AudioPart(sound, known)], transcript=words)
        self.item_id = None
        previous = self._history.append(item)
        self._context.post("input_audio_buffer.committed", item_id=item.id, previous_item_id=previous)
        self._context.out.announce(item, previous)
        if words is not None:
            self._transcribed(item, words)
        elif self._settings.transcription is not None:
            self._context.start(self._transcribe(item), "words")

    async def _transcribe(self, item: Message) -> None:
        """Find the words of a sound by the ears, unless the model has heard them by then."""
        await asyncio.sleep(TRANSCRIBED_AFTER_S)
        await self._responses.settled()
        if item.transcript is None and self._history.get(item.id) is item:
            sounds = [part.audio for part in item.parts if isinstance(part, AudioPart)]
            words = await self._live.words(sounds[0]) if sounds else None
            if item.transcript is not None or self._history.get(item.id) is not item:
                return
            if words is not None:
                self._transcribed(item, words)
            elif self._settings.transcription is not None:
                self._not_transcribed(item)

    def _not_transcribed(self, item: Message) -> None:
        """Nobody here finds the words. Clients wait for them, or for this."""
        error = {
            "type": "server_error", "code": "transcription_failed", "param": None,
            "message": "The words of this sound were not recognised; the answer does not depend on it.",
        }  # fmt: skip
        self._context.post(
            "conversation.item.input_audio_transcription.failed", item_id=item.id, content_index=0, error=error
        )

    def _transcribed(self, item: Message, words: str) -> None:
        item.transcript = words
        if self._settings.transcription is None:
            return
        place = {"item_id": item.id, "content_index": 0}
        if words:
            self._context.post("conversation.item.input_audio_transcription.delta", **place, delta=words)
        sound_s = sum(part.audio.duration for part in item.parts if isinstance(part, AudioPart))
        self._context.post(
            "conversation.item.input_audio_transcription.completed", **place, transcript=words,
            usage={"type": "duration", "seconds": round(sound_s, 3)},
        )  # fmt: skip

    def _wanted(self) -> Detection | None:
        whole = self._settings.turn_detection
        return None if whole is None else detection(whole)

    def _detect(self, new: Detection | None) -> None:
        self._detection = new
        self.item_id = None
        if new is None:
            self._live.change_turn_taking(None)
            self._live.change_idle(None)
            return
        self._buffer.clear()
        self._live.change_turn_taking(new.turn_taking, by_words=new.by_words, stops=new.interrupts)
        self._live.change_idle(None if new.idle_s is None else IdlePrompts(new.idle_s, (IDLE_PROMPT,)))
        if new.by_words:
            self._context.start(self._live.warm_up_ears(), "ears")
