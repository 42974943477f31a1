"""Speaker encoders by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from agentaudio.entry_points import installed
from agentaudio.errors import AgentAudioError, OptionError, did_you_mean
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder, SpeakerEncoder

GROUP = "agentaudio.encoders"
"""Entry points of speaker encoders of other packages."""


def load_encoder(name: str) -> SpeakerEncoder:
    """A speaker encoder by name.

    name: one of
        `embedded` (256 dimensions, shipped, extra `embedded`);
        `campplus:FOLDER` (192 dimensions, from a Step-Audio 2 checkpoint, whose decoder uses the same embeddings);
        `wavlm:FOLDER` (a WavLM x-vector model, extra `local`);
        `ecapa` or `ecapa:FOLDER` (192 dimensions, SpeechBrain's ECAPA-TDNN, extra `speechbrain`);
        `NAME` or `NAME:ARGUMENT` of an entry point in the group GROUP: a function of the argument, "" without one

    Raises OptionError for an unknown name or a missing folder, or when an entry point does not give an encoder,
    MissingExtra when the extra is not installed.
    """
    kind, _, place = name.partition(":")
    if kind in _KINDS:
        return _KINDS[kind](place)
    plugins = {point.name: point for point in installed(GROUP)}
    if kind not in plugins:
        raise OptionError(f"no speaker encoder {kind!r}; {did_you_mean(kind, (*_KINDS, *plugins))}")
    try:
        encoder = plugins[kind].load()(place)
    except AgentAudioError:
        raise
    except Exception as error:  # a plugin can raise anything
        raise OptionError(f"the speaker encoder {kind!r} of {plugins[kind].value} failed: {error!r}") from error
    lacking = [part for part in ("name", "dim", "same_speaker_above", "encode") if not hasattr(encoder, part)]
    if lacking:
        raise OptionError(
            f"the speaker encoder {kind!r} of {plugins[kind].value} has no {lacking[0]!r}; see SpeakerEncoder"
        )
    loaded: SpeakerEncoder = encoder
    return loaded


def default_encoder(name: str | None = None) -> SpeakerEncoder | None:
    """The encoder to use when none was chosen.

    CAM++ when the Hugging Face cache holds a Step-Audio 2 mini checkpoint, because its decoder uses the same
    embeddings; otherwise the embedded one.

    name: `SpeakerEncoder.name` that a library was embedded with; None for a new library
    returns: None when neither encoder has that name
    """
    checkpoint = _cached_checkpoint()
    if checkpoint is not None:
        encoder = _campplus(str(checkpoint))
        if name in (None, encoder.name):
            return encoder
    return EmbeddedSpeakerEncoder() if name in (None, EmbeddedSpeakerEncoder.name) else None


def _cached_checkpoint() -> Path | None:
    if find_spec("huggingface_hub") is None or find_spec("kaldi_native_fbank") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache("stepfun-ai/Step-Audio-2-mini", "token2wav/campplus.onnx")
    return Path(file).parent if isinstance(file, str) else None


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
        raise OptionError(f"encoder {kind!r} needs the folder of its model; write {kind}:FOLDER")
    return place


_KINDS: dict[str, Callable[[str], SpeakerEncoder]] = {
    "embedded": _embedded, "campplus": _campplus, "wavlm": _wavlm, "ecapa": _ecapa,
}  # fmt: skip
