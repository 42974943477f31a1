"""`Speaker`: finds a voice, and speaks given words in it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from typing import Any

from agentaudio.errors import ConsentError, OptionError, VoiceError, VoiceNotFound
from agentaudio.model.parts import Synthesiser
from agentaudio.model.speech_lm import Imitation, ReferenceVoice, SpeechLM, language_is_covered
from agentaudio.playhead import Playhead
from agentaudio.provenance.provenance import Origin, Provenance, checked_provenance
from agentaudio.resources import Resources, Voices
from agentaudio.retrieval.voices.search import VoiceMatch, VoiceSearch
from agentaudio.setup import Setup
from agentaudio.sound.audio import Audio
from agentaudio.sound.tempo import TempoStream
from agentaudio.utterance import Trouble, Utterance, mouth_of, require_permit
from agentaudio.voice_library.voice import Voice

log = logging.getLogger(__name__)

OPENAI_VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
)  # fmt: skip
"""Voices that clients written for OpenAI name; they stand for the default voice, unless `names` says another."""

LONGEST_WISH = 1_000
"""Characters of the words that a voice is searched by."""

PIECE_S = 0.25
"""Longest piece of sound for a player that reports its position."""

Wanted = str | Voice | Audio | Mapping[str, Any] | None
"""What a voice is found by: its id or name, or words that describe it; a Voice; a clip; `{"id": ...}`; or None or
"default" for the default voice."""


class HeardVoices:
    """The voices that one text is heard in, for `Speaker.origin`. Give it to `Speaker.speak` as `noticed`.

    voice: as for `Speaker.speak`
    """

    def __init__(self, voice: Voice | None) -> None:
        self.all: list[Voice | None] = [voice]

    def __call__(self, trouble: Trouble) -> None:
        if trouble.remedy == "own voice" and None not in self.all:
            self.all.append(None)


class Speaker:
    """Speaks given words in the voices of a library.

    source: a speech model that can speak given words, or a synthesiser
    voices: library to find voices in; "demo" opens the voices that come with agentaudio; None has none
    default: the voice where none is wanted; None is the source's own
    names: further names of voices; each stands for an id, a name or a description, or for "default"
    provenance: whether sound is marked and files are signed; None as `Provenance.from_environment` says

    Raises OptionError for a model that cannot speak given words.
    """

    def __init__(
        self,
        source: SpeechLM | Synthesiser[Any],
        voices: Voices | Resources | None = None,
        *,
        default: Voice | None = None,
        names: Mapping[str, str] | None = None,
        provenance: Provenance | None = None,
    ) -> None:
        self._mouth = mouth_of(source)
        self._resources = voices if isinstance(voices, Resources) else Resources(None, voices)
        self._names = {**dict.fromkeys(OPENAI_VOICES, "default"), **(names or {})}
        self.default = default
        named = getattr(source, "name", None)
        self._origin = Origin(
            named if isinstance(named, str) else type(source).__name__,
            self._mouth.speech,
            checked_provenance(provenance),
            imitation=self._mouth.imitates,
        )

    @classmethod
    def of(cls, setup: Setup, *, names: Mapping[str, str] | None = None) -> Speaker:
        """The speaker of an agent: its model, voices and default voice. Raises as `Speaker` does."""
        return cls(setup.model, setup.resources, default=setup.voice, names=names, provenance=setup.provenance)

    @property
    def sample_rate_hz(self) -> int:
        """Of all the sound."""
        return self._mouth.sample_rate_hz

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP-47 codes of what it can speak; empty when that is not known."""
        return self._mouth.languages

    @property
    def imitates(self) -> Imitation | None:
        """How it speaks in a reference voice; None when it speaks only in its own, or when that is not known."""
        return self._mouth.imitates

    def origin(self, *voices: Voice | None) -> Origin:
        """How speech in these voices is made, and what its files carry; None is the source's own voice."""
        return self._origin.heard(*voices)

    async def search(self, wanted: str | Audio, k: int = 3) -> list[VoiceMatch]:
        """The voices that fit a description or a clip, best first. Raises what `VoiceSearch.search` raises."""
        return await asyncio.to_thread(self._search, wanted, k)

    async def find(self, wanted: Wanted) -> Voice | None:
        """The voice that is wanted; None is the source's own.

        An id or a name of the library comes before a name of `names`, and both before a description, which is
        searched.

        Raises VoiceNotFound when there is none, ConsentError when it may not be used, VoiceError for a description of
        more than LONGEST_WISH characters, OptionError for another type, and what `VoiceSearch.search` raises.
        """
        return await asyncio.to_thread(self._find, wanted)

    async def prepare(self, voice: ReferenceVoice | None) -> None:
        """Make now what speaking in a voice takes, so that its first words come sooner.

        Raises ConsentError when the voice may not be used, VoiceError for a clip that cannot be used, and OptionError
        when the source speaks only in its own voice.
        """
        self._check(voice, None)
        await require_permit(voice)
        await self._mouth.prepare(voice)

    async def speak(
        self,
        text: str | AsyncIterable[str],
        *,
        voice: ReferenceVoice | None = None,
        rate: float = 1.0,
        language: str | None = None,
        playhead: Playhead | None = None,
        noticed: Callable[[Trouble], None] | None = None,
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text in a voice, phrase by phrase. Closing the generator stops the work.

        text: whole, or in pieces of any length, joined without blanks
        voice: as `find` returned it; None is the source's own
        rate: 2 is twice as fast at the same pitch; 0.25 to 4
        language: BCP-47 code of the text; None lets the source judge by the text
        playhead: of whoever plays the sound and reports it; then no more sound is made than it has room for
        noticed: called for each phrase whose sound was broken, or of which words are left out
        yields: sound to be played without pause, at `sample_rate_hz`

        The consent of the voice is asked for again before each phrase and each piece of sound, so that a voice that
        is revoked stops. A phrase whose sound is silent, or too short or too long for its words, is said again, and
        then in the source's own voice.

        Raises ConsentError once the voice may not be used, OptionError for a text without words, a language or a voice
        that the source does not speak, AudioError for a rate out of range, and BackendError when the source fails.
        """
        tempo, made_s = TempoStream(rate, self.sample_rate_hz), 0.0
        self._check(voice, language)
        await require_permit(voice)
        utterance = Utterance(self._mouth, voice, language, noticed or (lambda trouble: None))
        async with contextlib.aclosing(utterance.spoken(text)) as sounds:
            async for sound in _paced(sounds, tempo):
                sound = await self._origin.mark(sound, voice)
                pieces = [sound] if playhead is None else list(sound.chunks(1000 * PIECE_S))
                for piece in pieces:
                    if playhead is not None:
                        await playhead.room(made_s + piece.duration)
                    await require_permit(voice)
                    made_s += piece.duration
                    yield piece

    def _check(self, voice: ReferenceVoice | None, language: str | None) -> None:
        """Raises OptionError for what the source does not support."""
        if voice is not None and not self._mouth.takes_voices:
            raise OptionError(f"{self._mouth.name} speaks only in its own voice, so voice {voice.id!r} cannot be used")
        if language and self.languages and not language_is_covered(language, self.languages):
            raise OptionError(f"{self._mouth.name} does not speak {language!r}; it speaks: {', '.join(self.languages)}")

    def _find(self, wanted: Wanted) -> Voice | None:
        if isinstance(wanted, Mapping):
            wanted = wanted.get("id")
            if not isinstance(wanted, str):
                raise OptionError('a voice object needs its id, as in {"id": "ada"}')
            voice = self._voices().get(wanted)
            if voice.id != wanted:
                raise VoiceNotFound(f"no voice has the id {wanted!r}; {voice.id!r} is named so")
            return voice.require("synthesis")
        if isinstance(wanted, Voice):
            return wanted.require("synthesis")
        if isinstance(wanted, Audio):
            return self._best(wanted, "no voice of the library sounds like the clip")
        if wanted is not None and not isinstance(wanted, str):
            raise OptionError(
                f"give a voice as an id, a name, a description, a clip or a Voice, not {type(wanted).__name__}"
            )
        wanted = (wanted or "default").strip()
        if len(wanted) > LONGEST_WISH:
            raise VoiceError(f"a voice is described in {len(wanted)} characters; give at most {LONGEST_WISH}")
        if (called := self._called(wanted)) is not None:
            return called.require("synthesis")
        wanted = self._names.get(wanted, wanted)
        if wanted == "default":
            return None if self.default is None else self.default.require("synthesis")
        if (called := self._called(wanted)) is not None:
            return called.require("synthesis")
        return self._best(wanted, f"no voice fits {wanted!r}")

    def _called(self, wanted: str) -> Voice | None:
        """The voice with this id or name; None without one. Raises VoiceNotFound for a voice that was revoked."""
        if not wanted or "voices" not in self._resources.given:
            return None
        voices = self._voices()
        try:
            return voices.get(wanted)
        except VoiceNotFound:
            try:
                card = voices.library.find(wanted)
            except VoiceNotFound:
                return None
            if card.id in voices.hidden:
                return None
        raise VoiceNotFound(f"voice {card.id!r} was revoked; choose another")

    def _best(self, wanted: str | Audio, problem: str) -> Voice:
        for match in self._search(wanted, 3):
            with contextlib.suppress(ConsentError):  # revoked since the search
                return match.voice.require("synthesis")
        raise VoiceNotFound(f"{problem}; describe another, or choose one of the list")

    def _search(self, wanted: str | Audio, k: int) -> list[VoiceMatch]:
        clip = wanted if isinstance(wanted, Audio) else None
        return self._voices().search(wanted if isinstance(wanted, str) else None, clip, k)

    def _voices(self) -> VoiceSearch:
        voices = self._resources.open()[1]
        if voices is None:
            raise VoiceNotFound("there is no voice library here; leave the voice out")
        return voices


async def _paced(sounds: AsyncIterable[Audio], tempo: TempoStream) -> AsyncGenerator[Audio, None]:
    """The sounds at a tempo, without empty ones."""
    async for sound in sounds:
        if len(ready := tempo.push(sound)):
            yield ready
    if len(rest := tempo.finish()):
        yield rest
