"""From turns to prompts: token ids, with places for sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from agentaudio.model.step_audio_2.language.interleave import Mode
from agentaudio.model.step_audio_2.network.features import PIECE_SAMPLES, SAMPLE_RATE, frame_count, token_count
from agentaudio.model.step_audio_2.tokens import TokenIds, Vocabulary
from agentaudio.sound.audio import Audio


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ids that are taken into a prompt as they are: special tokens, and what a model generated."""

    ids: tuple[int, ...]


Item = str | Tokens | Audio


@dataclass(frozen=True, slots=True)
class Turn:
    r"""`<|BOT|>role\n`, the items, `<|EOT|>`. Strings are plain text: special tokens in them stay text.

    role: None for the items alone, as the Base checkpoint takes them
    joined: tokenise header, items and `<|EOT|>` together, as the reference does for a string content;
        otherwise each by itself
    closed: False leaves out `<|EOT|>`, so that the model continues this turn
    """

    role: str | None
    items: tuple[Item, ...] = ()
    joined: bool = False
    closed: bool = True


@dataclass(frozen=True, slots=True)
class TextSegment:
    """Text that was tokenised by itself."""

    ids: tuple[int, ...]
    vocabulary: Vocabulary = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """For people, with special tokens spelled out."""
        return spelled(self.ids, self.vocabulary)


@dataclass(frozen=True, slots=True)
class AudioSegment:
    """A piece of sound of at most 25 s: `<audio_start>`, n_tokens times `<audio_patch>`, `<audio_end>`.

    audio: the whole sound, at its own rate
    start, samples: where the piece begins and its length, in samples at 16 kHz
    n_tokens: rows of the encoder's output, which replace the embeddings of the patches
    """

    ids: tuple[int, ...]
    audio: Audio
    start: int
    samples: int
    n_tokens: int


class SoundPosition(NamedTuple):
    """Identifies one `<audio_patch>` by its content: the `sha256` of the sound, the piece and the row in it."""

    sound: str
    start: int
    row: int


Segment = TextSegment | AudioSegment
Position = int | SoundPosition
CountTokens = Callable[[int], int]


@dataclass(frozen=True)
class Prompt:
    """The input of the model.

    segments: in order
    mode: of the output that follows, for its OutputReader
    lead: the ids after the last `assistant` header that belong to the answer in history: `<tts_start>`
        or none
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
        """What each id stands for, to compare with cached states. Equal patches of different sound differ."""
        found: list[Position] = []
        for segment in self.segments:
            if isinstance(segment, TextSegment):
                found += segment.ids
            else:
                rows = (SoundPosition(segment.audio.sha256, segment.start, row) for row in range(segment.n_tokens))
                found += (segment.ids[0], *rows, segment.ids[-1])
        return found

    def shared_with(self, cached: Sequence[Position]) -> int:
        """Number of leading positions that a cache already holds.

        cached: `positions` of an earlier prompt, followed by the ids generated after it
        """
        pairs = zip(self.positions, cached, strict=False)
        return next((n for n, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(self.ids), len(cached)))

    def extended(self, ids: Iterable[int], vocabulary: Vocabulary, *, mode: Mode, lead: tuple[int, ...] = ()) -> Prompt:
        """This prompt, followed by `ids`; the states of this prompt can be reused for it."""
        return Prompt((*self.segments, TextSegment(tuple(ids), vocabulary)), mode, lead)

    def __str__(self) -> str:
        return "".join(
            segment.text if isinstance(segment, TextSegment) else _spelled_sound(segment.n_tokens)
            for segment in self.segments
        )


def audio_tokens(samples: int) -> int:
    """Number of `<audio_patch>` of a piece of `samples` samples at 16 kHz: 12.5 per second, none below 30 ms."""
    return token_count(frame_count(samples))


def assemble(turns: Iterable[Turn], vocabulary: Vocabulary, count_tokens: CountTokens = audio_tokens) -> Prompt:
    """Make a prompt of turns, which follow each other directly.

    count_tokens: from the 16 kHz samples of a piece to its number of `<audio_patch>`
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
    words = ""
    for item in piece:
        if isinstance(item, str):
            # Neighbouring strings are tokenised as one text.
            words += item
            continue
        found += vocabulary.encode(words) if words else []
        words = ""
        if isinstance(item, Tokens):
            found += item.ids
        else:
            if found:
                yield TextSegment(tuple(found), vocabulary)
                found = []
            yield from _sound(item, vocabulary.ids, count_tokens)
    found += vocabulary.encode(words) if words else []
    if found:
        yield TextSegment(tuple(found), vocabulary)


def _sound(audio: Audio, ids: TokenIds, count_tokens: CountTokens) -> Iterable[AudioSegment]:
    total = -(-len(audio) * SAMPLE_RATE // audio.sample_rate)
    for start in range(0, total, PIECE_SAMPLES):
        samples = min(PIECE_SAMPLES, total - start)
        n_tokens = count_tokens(samples)
        marks = (ids.audio_start, *[ids.audio_patch] * n_tokens, ids.audio_end)
        yield AudioSegment(marks, audio, start, samples, n_tokens)


def spelled(ids: Iterable[int], vocabulary: Vocabulary) -> str:
    """The text of ids, with special tokens spelled out. Several text ids may make one character."""
    known = vocabulary.ids
    return b"".join(
        vocabulary.token_bytes(number) if known.is_text(number) else (known.spelled(number) or "").encode()
        for number in ids
    ).decode("utf-8", "replace")


def _spelled_sound(n_tokens: int) -> str:
    return f"<audio_start>{'<audio_patch>' * n_tokens}<audio_end>"
