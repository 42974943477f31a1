"""`read_kaldi`: the utterances of a data directory of Kaldi."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.errors import VoiceError
from agentaudio.voice_library.manifest_tables import Raw, content

RECORDINGS = "wav.scp"


def read_kaldi(recordings: Path) -> Iterator[Raw]:
    """One row for each utterance, with the columns of a table.

    recordings: `wav.scp`, lines of a recording's id and its file. Beside it may lie `segments` (utterance, recording,
        start and end in seconds), `utt2spk`, `text`, `spk2gender` and `utt2lang`. A recording that is the output of
        a command (`sph2pipe ... |`) has a problem, because no command is run.

    The number of a row is that of its line in `segments`, or else in `wav.scp`.
    Raises VoiceError when one of these files cannot be read, or `wav.scp` or `segments` holds no line.
    """
    folder = recordings.parent
    speakers, words, genders, languages = (
        _pairs(folder / name) for name in ("utt2spk", "text", "spk2gender", "utt2lang")
    )
    files = _pairs(recordings)
    if not files:
        raise VoiceError(f"{recordings} names no recording; its lines are an id and a file")
    segments = folder / "segments"
    lines = _lines(segments) if segments.is_file() else [(number, [id, id]) for id, (number, _) in files.items()]
    for number, parts in lines:
        if segments.is_file() and len(parts) != 4:
            yield number, f"it has {len(parts)} parts; a segment is an utterance, a recording, a start and an end"
            continue
        utterance, recording = parts[:2]
        _, file = files.get(recording, (0, ""))
        if not file:
            yield number, f"{RECORDINGS} has no recording {recording!r}"
            continue
        if file.endswith("|") or file.startswith("|"):
            yield number, "its recording is the output of a command, which is not run; write it to a file first"
            continue
        speaker = speakers.get(utterance, (0, ""))[1] or utterance
        row: dict[str, object] = {
            "file": file, "speaker": speaker, "transcript": words.get(utterance, (0, ""))[1],
            "gender": genders.get(speaker, (0, ""))[1], "language": languages.get(utterance, (0, ""))[1],
        }  # fmt: skip
        if len(parts) == 4:
            row |= {"start_s": parts[2], "end_s": parts[3]}
        yield number, row


def _pairs(file: Path) -> dict[str, tuple[int, str]]:
    """The first word of each line, with the line's number and the rest of it; empty for a missing file."""
    if not file.is_file():
        return {}
    return {parts[0]: (number, parts[1] if len(parts) > 1 else "") for number, parts in _lines(file, 1)}


def _lines(file: Path, splits: int = -1) -> list[tuple[int, list[str]]]:
    try:
        text = content(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise VoiceError(f"{file} is not UTF-8; convert it") from None
    found = [(number, line.split(None, splits)) for number, line in enumerate(text.split("\n"), 1)]
    return [(number, [part.strip() for part in parts]) for number, parts in found if parts]
