"""`VoiceLibrary`: a folder of reference voices.

FOLDER/voices.json     the cards
FOLDER/clips/*.flac    the sound
FOLDER/speakers.npy    speaker embeddings, one row per card, when an encoder made them
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from agentaudio.audio import Audio, write_atomically
from agentaudio.errors import VoiceError, VoiceNotFound, did_you_mean
from agentaudio.voice_library.speaker_encoder import SpeakerEncoder
from agentaudio.voice_library.voice import Voice, VoiceCard

FORMAT = 1
MIN_CLIP_S, MAX_CLIP_S = 1.0, 30.0


class VoiceLibrary:
    """Voices in a folder, which may be mounted read-only as long as nothing is added.

    folder: where it is; `VoiceLibrary.create` makes a new one
    encoder: makes the speaker embeddings of voices that are added; None stores none

    Raises VoiceError when the folder is not a library, or its cards cannot be read.
    """

    def __init__(self, folder: str | os.PathLike[str], *, encoder: SpeakerEncoder | None = None) -> None:
        self.folder = Path(folder)
        self._encoder = encoder
        self._read()

    @classmethod
    def create(cls, folder: str | os.PathLike[str], *, encoder: SpeakerEncoder | None = None) -> VoiceLibrary:
        """A new, empty library. Raises VoiceError when there is one already."""
        folder = Path(folder)
        if (folder / "voices.json").exists():
            raise VoiceError(f"{folder} is a voice library already; open it with VoiceLibrary({str(folder)!r})")
        _write_json(folder / "voices.json", {"format": FORMAT, "encoder": None, "voices": []})
        return cls(folder, encoder=encoder)

    def _read(self) -> None:
        index = self.folder / "voices.json"
        try:
            data = json.loads(index.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise VoiceError(f"{self.folder} is not a voice library: it has no voices.json") from None
        except (OSError, ValueError) as error:
            raise VoiceError(f"cannot read {index}: {error}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, dict) else type(data).__name__
            raise VoiceError(f"{index} has format {found!r}; this version reads format {FORMAT}")
        self.encoder_name: str | None = data.get("encoder")
        self._voices: dict[str, Voice] = {}
        for number, entry in enumerate(data.get("voices", [])):
            try:
                card = VoiceCard.model_validate(entry)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                field = ".".join(str(step) for step in first["loc"])
                raise VoiceError(f"{index}: voice {number + 1}: {field}: {first['msg']}") from None
            path = (self.folder / card.clip).resolve()
            if not path.is_relative_to(self.folder.resolve()):
                raise VoiceError(f"{index}: voice {card.id!r}: clip {card.clip!r} leads out of the library")
            if card.id in self._voices:
                raise VoiceError(f"{index}: two voices have the id {card.id!r}")
            self._voices[card.id] = Voice(card, path)
        self._speakers = self._read_speakers()

    def _read_speakers(self) -> NDArray[np.float32] | None:
        path = self.folder / "speakers.npy"
        if self.encoder_name is None or not path.exists():
            return None
        try:
            rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise VoiceError(f"cannot read {path}: {error}") from None
        if rows.ndim != 2 or len(rows) != len(self._voices):
            raise VoiceError(f"{path} has shape {rows.shape} for {len(self._voices)} voices; make it again")
        return np.asarray(rows, np.float32)

    @property
    def speakers(self) -> NDArray[np.float32] | None:
        """(voices, dim) float32 speaker embeddings in the order of iteration; None when there are none."""
        return self._speakers

    def __iter__(self) -> Iterator[Voice]:
        return iter(self._voices.values())

    def __len__(self) -> int:
        return len(self._voices)

    def get(self, wanted: str) -> Voice:
        """The voice of that id, or of that name. Raises VoiceNotFound naming the nearest."""
        if wanted in self._voices:
            return self._voices[wanted]
        named = [voice for voice in self if voice.name.lower() == wanted.strip().lower()]
        if len(named) == 1:
            return named[0]
        if named:
            raise VoiceNotFound(
                f"{len(named)} voices are named {wanted!r}; use an id: {', '.join(v.id for v in named)}"
            )
        raise VoiceNotFound(f"no voice {wanted!r}; {did_you_mean(wanted, self._voices)}")

    def add(self, clip: Audio, *, id: str, name: str, description: str, **fields: Any) -> Voice:
        """Store a clip of 1 to 30 seconds and its card; `fields` are those of VoiceCard.

        Raises VoiceError for a clip that is silent, too short or too long, an id that is taken,
        or a card that cannot be.
        """
        if id in self._voices:
            raise VoiceError(f"there is a voice {id!r} already; remove it or choose another id")
        if clip.is_silent:
            raise VoiceError(f"the clip for {id!r} is silent; give {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s of speech")
        if not MIN_CLIP_S <= clip.duration <= MAX_CLIP_S:
            raise VoiceError(
                f"the clip for {id!r} lasts {clip.duration:.1f} s; give {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s of speech"
            )
        content = clip.to_bytes("flac")
        try:
            card = VoiceCard(
                id=id, name=name, description=description, clip=f"clips/{id}.flac",
                sha256=hashlib.sha256(content).hexdigest(), duration_s=round(clip.duration, 3), **fields,
            )  # fmt: skip
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(step) for step in first["loc"])
            raise VoiceError(f"the card of {id!r}: {field}: {first['msg']}") from None
        speakers = self._with_speaker(clip)
        write_atomically(self.folder / card.clip, content)
        self._write([*self._voices.values(), Voice(card, self.folder / card.clip)], speakers)
        return self._voices[id]

    def remove(self, id: str) -> None:
        """Delete a voice with its clip and its embedding. Raises VoiceNotFound."""
        voice = self.get(id)
        position = list(self._voices).index(voice.id)
        kept = None if self._speakers is None else np.delete(self._speakers, position, axis=0)
        self._write([other for other in self if other.id != voice.id], kept)
        voice.path.unlink(missing_ok=True)

    def _with_speaker(self, clip: Audio) -> NDArray[np.float32] | None:
        if self._encoder is None:
            if self._speakers is not None:
                raise VoiceError(
                    f"this library's voices were embedded by {self.encoder_name!r}; open it with that encoder"
                )
            return None
        if len(self) and self.encoder_name != self._encoder.name:
            raise VoiceError(f"this library is embedded by {self.encoder_name!r}, not {self._encoder.name!r}")
        row = self._encoder.encode(clip)[None]
        return row if self._speakers is None else np.concatenate([self._speakers, row])

    def _write(self, voices: list[Voice], speakers: NDArray[np.float32] | None) -> None:
        encoder = self._encoder.name if self._encoder is not None else self.encoder_name
        if speakers is not None:
            buffer = io.BytesIO()
            np.save(buffer, speakers, allow_pickle=False)
            write_atomically(self.folder / "speakers.npy", buffer.getvalue())
        cards = [voice.card.model_dump(mode="json", exclude_none=True) for voice in voices]
        _write_json(
            self.folder / "voices.json",
            {"format": FORMAT, "encoder": encoder if speakers is not None else None, "voices": cards},
        )
        self._read()


@cache
def demo_voices() -> VoiceLibrary:
    """The library that ships with the package: free synthetic voices with honest cards."""
    return VoiceLibrary(str(files("agentaudio.voice_library") / "demo"))


def _write_json(path: Path, data: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode())
