"""Speaker encoders to choose from, by name."""

from __future__ import annotations

from collections.abc import Callable

from agentaudio.errors import OptionError, did_you_mean
from agentaudio.voice_library.speaker_encoder import EmbeddedSpeakerEncoder, SpeakerEncoder


def load_encoder(name: str) -> SpeakerEncoder:
    """A speaker encoder.

    name: `embedded` (256 numbers, shipped with the extra `pocket`);
        `campplus:FOLDER` (192 numbers, from a Step-Audio 2 checkpoint; the numbers that its decoder
        is conditioned with); `wavlm:FOLDER` (a WavLM x-vector model, extra `local`);
        `ecapa` or `ecapa:FOLDER` (192 numbers, SpeechBrain's ECAPA-TDNN, extra `speechbrain`)

    Raises OptionError for another name or a folder that is missing, and MissingExtra.
    """
    kind, _, place = name.partition(":")
    if kind not in _KINDS:
        raise OptionError(f"no speaker encoder {kind!r}; {did_you_mean(kind, _KINDS)}")
    return _KINDS[kind](place)


def _embedded(place: str) -> SpeakerEncoder:
    return EmbeddedSpeakerEncoder(place or None)


def _campplus(place: str) -> SpeakerEncoder:
    folder = _folder("campplus", place)
    from agentaudio.voice_library.encoders.campplus import CamPlusPlusEncoder

    return CamPlusPlusEncoder(folder)


def _wavlm(place: str) -> SpeakerEncoder:
    folder = _folder("wavlm", place)
    from agentaudio.voice_library.encoders.wavlm import WavLMEncoder

    return WavLMEncoder(folder)


def _ecapa(place: str) -> SpeakerEncoder:
    from agentaudio.voice_library.encoders.ecapa import EcapaEncoder

    return EcapaEncoder(place or None)


def _folder(kind: str, place: str) -> str:
    if not place:
        raise OptionError(f"encoder {kind!r} needs its model's folder; write {kind}:FOLDER")
    return place


_KINDS: dict[str, Callable[[str], SpeakerEncoder]] = {
    "embedded": _embedded, "campplus": _campplus, "wavlm": _wavlm, "ecapa": _ecapa,
}  # fmt: skip
