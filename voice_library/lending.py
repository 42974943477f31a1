"""`lend`: add a voice that its owner lends by a spoken consent, after checks of the recording."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.clustering import cosine
from agentaudio.sound.levels import frame_powers
from agentaudio.sound.speaker_encoder import SpeakerEncoder, WindowedSpeakerEncoder
from agentaudio.sound.vad import VoiceActivity
from agentaudio.voice_library.consents import CONSENT_DELETED, SpokenConsent
from agentaudio.voice_library.encoders import default_encoder
from agentaudio.voice_library.excerpt import WISHED_S, find_excerpt
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.neighbours import encode_and_count_speakers
from agentaudio.voice_library.prepared import PreparedVoice
from agentaudio.voice_library.quality import measure_quality
from agentaudio.voice_library.suggestion import suggest_card
from agentaudio.voice_library.voice import Consent, ConsentRecording, Quality, Voice

LICENCE = "LicenseRef-lent-by-spoken-consent"
LOWEST_SNR_DB = 10.0
LEAST_RANGE_DB = 15.0
MOST_CLIPPED = 0.005
LOWEST_BANDWIDTH_HZ = 2_500
"""A sample with more noise, more samples at full scale, or a lower bandwidth (a telephone has 3.4 kHz) is refused."""


@dataclass(frozen=True, slots=True)
class Loan:
    """What a voice is lent with.

    name, description, transcript, language: of the card; empty when unknown
    owner: of the private voice; None for one that everybody may use
    """

    name: str
    description: str = ""
    transcript: str = ""
    language: str = ""
    owner: str | None = None


def lend(
    library: VoiceLibrary,
    sample: Audio,
    consent: SpokenConsent,
    loan: Loan,
    *,
    hear: Callable[[Audio], str] = lambda clip: "",
) -> Voice:
    """Add the best 3 to 15 seconds of a sample as a voice. Blocks for some 100 ms.

    consent: the spoken consent of the sample's speaker, which `library.consents` keeps
    hear: the words of the excerpt, asked where the loan has no transcript

    Raises VoiceError, with the reason for the person who recorded it, for a sample with too little speech, of poor
    quality, of two speakers, or of another speaker than the consent's, for one that is in the library, and for invalid
    fields; and when the library cannot be written. Then nothing has changed.
    """
    encoder = _encoder(library)
    excerpt = find_excerpt(sample, VoiceActivity())
    if excerpt.speech_s < WISHED_S:
        raise VoiceError(f"the sample holds {excerpt.speech_s:.1f} s of speech; record {WISHED_S:g} to 15 s")
    quality = measure_quality(excerpt)
    if (problem := _problem(quality, excerpt.audio)) is not None:
        raise VoiceError(problem)
    vector, two = encode_and_count_speakers(encoder, excerpt.audio)
    if two:
        raise VoiceError("the sample sounds like two speakers; record one person alone")
    spoken = library.consents.sound(consent.id)
    if spoken is None:
        raise VoiceError(CONSENT_DELETED)
    alike = cosine(vector, encoder.encode(Audio.load(spoken)))
    if not _is_same(encoder, alike):
        raise VoiceError("the sample and the consent do not sound like one speaker; the same person records both")
    cut = sample.duration > excerpt.audio.duration + 0.5
    fields: dict[str, Any] = {
        "id": f"voice_{secrets.token_hex(8)}",
        "name": loan.name,
        "transcript": (loan.transcript if loan.transcript and not cut else hear(excerpt.audio))[:10_000],
        "language": loan.language or consent.language,
        "licence": LICENCE,
        "owner": loan.owner,
        "consent": Consent(
            basis="speaker", holder=consent.name, scope=("synthesis",), evidence=f"recording {consent.id}",
            recording=ConsentRecording(
                id=consent.id, sha256=consent.sha256, transcript=consent.transcript, language=consent.language,
                same_speaker=round(max(-1.0, min(1.0, alike)), 4),
            ),
        ),
    }  # fmt: skip
    guessed = suggest_card(excerpt)
    if loan.description:
        guessed = {name: value for name, value in guessed.items() if name != "description"}
        fields["description"] = loan.description
    prepared = PreparedVoice.of(
        excerpt.audio, vector=vector, quality=quality, **fields, **guessed, automatic=tuple(guessed)
    )  # fmt: skip
    if (known := library.recorded(prepared.card.sha256)) is not None:
        gone = ", which was revoked" if known.revoked is not None else ""
        raise VoiceError(f"this recording is in the library already{gone}; record another")
    same = VoiceLibrary(library.folder, encoder=encoder, keep_prompts=library.keep_prompts)
    stored = same.store([prepared], consent=consent.id)[0]  # it may have been withdrawn meanwhile
    if isinstance(stored, VoiceError):
        raise stored
    return stored


def _encoder(library: VoiceLibrary) -> SpeakerEncoder:
    encoder = library.encoder or default_encoder(library.encoder_name)
    if encoder is None:
        raise VoiceError(f"the library's speaker encoder {library.encoder_name!r} is not installed here")
    return encoder


def _problem(quality: Quality, clip: Audio) -> str | None:
    # Without a pause there is no background to measure; then noise fills the quiet moments between the sounds.
    if (_range_db(clip) < LEAST_RANGE_DB) if quality.snr_db is None else (quality.snr_db < LOWEST_SNR_DB):
        return "the sample is noisy; record it in a quiet room"
    if quality.clipped > MOST_CLIPPED:
        return "the sample is too loud and distorted; record it further from the microphone"
    if quality.bandwidth_hz < LOWEST_BANDWIDTH_HZ:
        return "the sample sounds muffled, like a bad telephone line; record it with another microphone"
    return None


def _range_db(clip: Audio) -> float:
    """How far the loud moments of a sound are above its quiet ones, in dB: 95th and 5th percentile of 20 ms each."""
    powers = frame_powers(clip.samples, round(0.02 * clip.sample_rate))
    quiet, loud = np.percentile(powers, [5, 95])
    return float(10 * np.log10(max(loud, 1e-12) / max(quiet, 1e-12)))


def _is_same(encoder: SpeakerEncoder, alike: float) -> bool:
    # With the embedded encoder and halves of the demo voices (2.5 s), 1.6 % of the pairs of one speaker are refused,
    # and 0.05 % of those of two speakers accepted.
    if isinstance(encoder, WindowedSpeakerEncoder):
        return alike >= encoder.one_speaker_above
    return alike >= encoder.same_speaker_above
