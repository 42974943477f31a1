"""From turns to what the model reads: token ids, with places for sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from agentaudio.model.step_audio_2.language.interleave import Mode
from agentaudio.model.step_audio_2.network.features import PIECE_SAMPLES, SAMPLE_RATE, frame_count, token_count
from agentaudio.model.step_audio_2.tokens import TokenIds, Vocabulary
from agentaudio.sound.audio import Audio


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ids that stand in a prompt as they are: marks, and what a model generated."""

    ids: tuple[int, ...]


Item = str | Tokens | Audio


@dataclass(frozen=True, slots=True)
class Turn:
    r"""`<|BOT|>role\n`, its items, `<|EOT|>`. Strings are plain text: no special token can be forged in them.

    role: None writes the items alone, as the Base checkpoint takes them
    joined: header, items and closing mark are tokenised in one go, as the reference does for a string;
        else each on its own
    closed: without `<|EOT|>` the model goes on writing this turn
    """

    role: str | None
    items: tuple[Item, ...] = ()
    joined: bool = False
    closed: bool = True


@dataclass(frozen=True, slots=True)
class TextSegment:
    """Text that was tokenised on its own. text: for people; special tokens are spelled out"""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class AudioSegment:
    """A piece of sound of at most 25 s: `<audio_start>`, n_tokens times `<audio_patch>`, `<audio_end>`.

    audio: the whole sound, at its own rate
    start, samples: the piece, in samples at 16 kHz
    n_tokens: rows of the encoder's output that take the place of the patches
    """

    ids: tuple[int, ...]
    audio: Audio
    start: int
    samples: int
    n_tokens: int


class SoundPosition(NamedTuple):
    """One `<audio_patch>`: what it stands for is part of what it is. sound: its `sha256`"""

    sound: str
    start: int
    row: int


Segment = TextSegment | AudioSegment
Position = int | SoundPosition
CountTokens = Callable[[int], int]


@dataclass(frozen=True)
class Prompt:
    """What a model reads, and in which mode it will go on.

    segments: in order
    mode: for the OutputReader of the answer
    lead: the ids after the last `assistant` header that history keeps, `<tts_start>` or none
    """

    segments: tuple[Segment, ...]
    mode: Mode = "text"
    lead: tuple[int, ...] = ()

    @cached_property
    def ids(self) -> list[int]:
        """All token ids."""
        return [number for segment in self.segments for number in segment.ids]

    @property
    def audio(self) -> list[AudioSegment]:
        """The pieces of sound, in the order of their `<audio_start>`."""
        return [segment for segment in self.segments if isinstance(segment, AudioSegment)]

    @cached_property
    def positions(self) -> list[Position]:
        """One entry for each id: what a cached state stands for. Equal patches of different sound differ."""
        found: list[Position] = []
        for segment in self.segments:
            if isinstance(segment, TextSegment):
                found += segment.ids
            else:
                rows = (SoundPosition(segment.audio.sha256, segment.start, row) for row in range(segment.n_tokens))
                found += (segment.ids[0], *rows, segment.ids[-1])
        return found

    def shared_with(self, cached: Sequence[Position]) -> int:
        """How many leading positions a cache already holds.

        cached: `positions` of an earlier prompt, followed by the ids that were generated after it
        """
        pairs = zip(self.positions, cached, strict=False)
        return next((n for n, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(self.ids), len(cached)))

    def extended(self, ids: Iterable[int], text: str = "", *, mode: Mode, lead: tuple[int, ...] = ()) -> Prompt:
        """This prompt and more ids, so that the states of this one can be re-used."""
        return Prompt((*self.segments, TextSegment(tuple(ids), text)), mode, lead)

    def __str__(self) -> str:
        return "".join(
            segment.text if isinstance(segment, TextSegment) else _spelled_sound(segment.n_tokens)
            for segment in self.segments
        )


def audio_tokens(samples: int) -> int:
    """`<audio_patch>` of one piece of so many 16 kHz samples: 12.5 a second, none below 30 ms."""
    return token_count(frame_count(samples))


def assemble(turns: Iterable[Turn], vocabulary: Vocabulary, count_tokens: CountTokens = audio_tokens) -> Prompt:
    """Tokenise turns; they follow each other with nothing between.

    count_tokens: 16 kHz samples of a piece to its number of `<audio_patch>`
    Source: Step-Audio2 stepaudio2.py, apply_chat_template and generate.
    """
    ids = vocabulary.ids
    segments: list[Segment] = []
    for turn in turns:
        header: list[Item] = [] if turn.role is None else [Tokens((ids.bot,)), f"{turn.role}\n"]
        ending: list[Item] = [] if turn.role is None or not turn.closed else [Tokens((ids.eot,))]
        if turn.joined:
            pieces = [[*header, *turn.items, *ending]]
        else:
            pieces = [header, *([item] for item in turn.items), ending]
        for piece in pieces:
            segments += _segments(piece, vocabulary, count_tokens)
    return Prompt(tuple(segments))


def _segments(piece: Sequence[Item], vocabulary: Vocabulary, count_tokens: CountTokens) -> Iterable[Segment]:
    found: list[int] = []
    shown = ""
    words = ""
    for item in piece:
        if isinstance(item, str):
            # Neighbouring words are one text to the tokeniser.
            words += item
            continue
        found += vocabulary.encode(words) if words else []
        shown, words = shown + words, ""
        if isinstance(item, Tokens):
            found += item.ids
            shown += spelled(item.ids, vocabulary)
        else:
            if found:
                yield TextSegment(tuple(found), shown)
                found, shown = [], ""
            yield from _sound(item, vocabulary.ids, count_tokens)
    found += vocabulary.encode(words) if words else []
    if found:
        yield TextSegment(tuple(found), shown + words)


def _sound(audio: Audio, ids: TokenIds, count_tokens: CountTokens) -> Iterable[AudioSegment]:
    total = -(-len(audio) * SAMPLE_RATE // audio.sample_rate)
    for start in range(0, total, PIECE_SAMPLES):
        samples = min(PIECE_SAMPLES, total - start)
        n_tokens = count_tokens(samples)
        marks = (ids.audio_start, *[ids.audio_patch] * n_tokens, ids.audio_end)
        yield AudioSegment(marks, audio, start, samples, n_tokens)


def spelled(ids: Iterable[int], vocabulary: Vocabulary) -> str:
    """Ids as people read them; neighbouring text ids may make one character."""
    known = vocabulary.ids
    return b"".join(
        vocabulary.token_bytes(number) if known.is_text(number) else (known.spelled(number) or "").encode()
        for number in ids
    ).decode("utf-8", "replace")


def _spelled_sound(n_tokens: int) -> str:
    return f"<audio_start>{'<audio_patch>' * n_tokens}<audio_end>"
