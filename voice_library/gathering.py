"""`gather`: the sound and the words of a voice from its recordings."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from agentaudio.errors import AgentAudioError, AudioError, VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.vad import VoiceActivity
from agentaudio.text.languages import CJK
from agentaudio.voice_library.defects import differing_channels
from agentaudio.voice_library.excerpt import LONGEST_S, SHORTEST_SPEECH_S, Excerpt, find_excerpt
from agentaudio.voice_library.manifest import Entry, Utterance

LONGEST_SOURCE_S = 600.0
LARGEST_SOURCE_BYTES = 200_000_000
HIGHEST_RATE_HZ = 48_000
LEAST_LOST_S = 0.5
"""Seconds of speech outside the excerpt from which a transcript does not fit it; a word takes about as long."""
SHORTEST_PIECE_S = 0.3
"""Seconds of speech of an utterance that is joined with others."""
LETTERS_PER_S, CHARACTERS_PER_S = 25.0, 9.0
"""Letters and Chinese characters in a second of the fastest speech that is read aloud; twice the usual number."""


class Revoked(VoiceError):
    """The recording is that of a revoked voice, so that no other utterance of the speaker may be used either."""


@dataclass(frozen=True)
class Gathered:
    """What a voice is made of.

    transcript: of the excerpt; "" when unknown
    origin: hash of the recording, or of the part of it, that the excerpt begins with
    flags: reasons to listen to it
    two_channels: the recording has two channels with different sound, which were mixed
    """

    excerpt: Excerpt
    transcript: str
    origin: str
    flags: list[str]
    two_channels: bool = False


def gather(entry: Entry, activity: VoiceActivity, check: Callable[[str, bool], None]) -> Gathered:
    """The best 3 to 15 seconds of an entry: of its recording, or of its speaker's utterances in order.

    check: called with the hash of each recording, and whether all of the recording is meant; raises Revoked when it
        may not be used

    Of several utterances those that cannot be used are left out, and flagged.
    Raises AudioError or VoiceError when none can be used, and what `check` raises.
    """
    several = len(entry.utterances) > 1
    pieces: list[Excerpt] = []
    words: list[str] = []
    cut: list[str] = []
    bad: list[str] = []
    origin, two_channels = "", False
    for utterance in entry.utterances:
        try:
            audio, found, differ = _read(utterance, check)
            origin = origin or found
            excerpt = find_excerpt(audio, activity, SHORTEST_PIECE_S if several else SHORTEST_SPEECH_S)
        except (AudioError, VoiceError) as error:
            if not several or isinstance(error, Revoked):
                raise
            bad.append(f"{utterance.file.name}: {error}")
            continue
        if pieces and sum(piece.audio.duration for piece in pieces) + excerpt.audio.duration > LONGEST_S:
            break
        pieces.append(excerpt)
        two_channels |= differ
        words.append(utterance.transcript.strip())
        if words[-1] and _lost_speech(audio, excerpt, activity):
            cut.append("only a part of its speech is kept")
        elif words[-1] and not fits(words[-1], excerpt.speech_s):
            cut.append(f"nobody says so many words in {excerpt.speech_s:.0f} s")
    if not pieces:
        raise VoiceError(f"none of its {len(bad)} utterances can be used; {bad[0]}")
    excerpt = _joined(pieces)
    if excerpt.speech_s < SHORTEST_SPEECH_S:
        raise VoiceError(
            f"in its {len(pieces)} utterances there are {excerpt.speech_s:.1f} s of speech; "
            f"give at least {SHORTEST_SPEECH_S:g} s"
        )
    flags = [f"{len(bad)} of its {len(entry.utterances)} utterances could not be used, {bad[0]}"] if bad else []
    if cut:
        flags.append(f"its transcript was dropped, because {cut[0]}; give the words of that part")
    elif any(words) and not all(words):
        flags.append("its transcript was dropped, because it is missing for some of the utterances")
    return Gathered(excerpt, "" if cut or not all(words) else " ".join(words), origin, flags, two_channels)


def fits(transcript: str, speech_s: float) -> bool:
    """Whether a transcript can be the words of so many seconds of speech, at the fastest pace."""
    characters = len(re.findall(f"[{CJK}]", transcript))
    letters = sum(char.isalnum() for char in transcript) - characters
    return letters / LETTERS_PER_S + characters / CHARACTERS_PER_S <= speech_s + LEAST_LOST_S


def _read(utterance: Utterance, check: Callable[[str, bool], None]) -> tuple[Audio, str, bool]:
    """The sound of an utterance, the hash of its recording or part, and whether it mixes two channels that differ."""
    whole = utterance.start_s is None and utterance.end_s is None and utterance.channel is None
    try:
        with utterance.open() as recording:
            origin, channels = _fingerprint(recording, utterance.file)
            check(origin, whole)
            if not whole:
                part = f"{origin} {utterance.start_s} {utterance.end_s} {utterance.channel}"
                origin = hashlib.sha256(part.encode()).hexdigest()
                check(origin, True)
            recording.seek(0)
            audio = Audio.load(recording, highest_rate=HIGHEST_RATE_HZ, channel=utterance.channel)
            differ = channels == 2 and utterance.channel is None and _channels_differ(recording)
    except OSError as error:
        if isinstance(error, AgentAudioError):
            raise
        raise AudioError(f"cannot read {utterance.file}: {error.strerror}") from None
    if utterance.start_s is None and utterance.end_s is None:
        return audio, origin, differ
    start = utterance.start_s or 0.0
    if start >= audio.duration:
        raise AudioError(f"{utterance.file} lasts {audio.duration:.1f} s, and the part begins at {start:g} s")
    return audio.slice(start, min(audio.duration, utterance.end_s or audio.duration)), origin, differ


def _fingerprint(recording: BufferedReader, file: Path) -> tuple[str, int]:
    """SHA-256 of a file, and the number of its channels, 0 when its header does not say.

    Raises AudioError for one that is too large, or too long once decoded.
    """
    import soundfile

    channels = 0

    size = os.fstat(recording.fileno()).st_size
    if size > LARGEST_SOURCE_BYTES:
        raise AudioError(f"{file} has {size / 1e6:.0f} MB; cut it first")
    with suppress(soundfile.LibsndfileError):  # Audio.load reads more formats and has clearer errors
        header = soundfile.info(recording)
        channels = header.channels
        if header.duration > LONGEST_SOURCE_S:
            raise AudioError(
                f"{file} says it lasts {header.duration / 60:.0f} minutes; the limit is "
                f"{LONGEST_SOURCE_S / 60:.0f}, so cut it first"
            )
    recording.seek(0)
    return hashlib.file_digest(recording, "sha256").hexdigest(), channels


def _channels_differ(recording: BufferedReader) -> bool:
    both = []
    for channel in (0, 1):
        recording.seek(0)
        both.append(Audio.load(recording, highest_rate=HIGHEST_RATE_HZ, channel=channel))
    return differing_channels(*both)


def _lost_speech(audio: Audio, excerpt: Excerpt, activity: VoiceActivity) -> bool:
    """Whether a recording holds speech that its excerpt does not."""
    if audio.duration <= LONGEST_S:
        return False
    speech_s = sum(end - start for start, end in activity.speech(audio))
    return speech_s > excerpt.speech_s + LEAST_LOST_S


def _joined(pieces: list[Excerpt]) -> Excerpt:
    if len(pieces) == 1:
        return pieces[0]
    speech: list[tuple[float, float]] = []
    before = 0.0
    for piece in pieces:
        speech += [(before + start, before + end) for start, end in piece.speech]
        before += piece.audio.duration
    return Excerpt(Audio.concat([piece.audio for piece in pieces]), tuple(speech))
