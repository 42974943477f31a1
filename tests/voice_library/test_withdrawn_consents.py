"""A consent that is withdrawn while a voice is being lent by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentaudio import VoiceLibrary
from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.voice_library import library as voice_library
from agentaudio.voice_library.consents import SpokenConsent
from agentaudio.voice_library.lending import Loan, lend

CLIP = voice_library.demo_voices().get("angus").clip


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary.create(tmp_path / "voices")


@pytest.fixture
def consent(library: VoiceLibrary) -> SpokenConsent:
    sound = CLIP.slice(CLIP.duration - 2.6)
    return library.consents.add(sound, name="Angus", language="en", transcript="I agree.", owner=None)


def while_heard(act: Callable[[], object]) -> Callable[[Audio], str]:
    """Does something else while the words of the sample are being recognised."""

    def hear(clip: Audio) -> str:
        act()
        return ""

    return hear


def test_a_voice_is_not_stored_when_its_consent_is_withdrawn_while_it_is_heard(
    library: VoiceLibrary, consent: SpokenConsent
) -> None:
    hear = while_heard(lambda: library.withdraw(consent.id))
    with pytest.raises(VoiceError, match="consent was deleted"):
        lend(library, CLIP.slice(0, 3.2), consent, Loan("Angus"), hear=hear)
    assert library.lent_by(consent.id) == [] and library.consents.all() == []
    assert list((library.folder / "clips").rglob("*.flac")) == []


def test_nor_when_the_only_other_voice_of_the_consent_is_deleted_meanwhile(
    library: VoiceLibrary, consent: SpokenConsent
) -> None:
    first = lend(library, CLIP.slice(0, 3.2), consent, Loan("Angus"))
    hear = while_heard(lambda: library.remove(first.id))
    with pytest.raises(VoiceError, match="consent was deleted"):
        lend(library, CLIP.slice(0, 3.4), consent, Loan("Angus again"), hear=hear)
    assert library.lent_by(consent.id) == []


def test_a_consent_that_is_withdrawn_takes_its_voices_along(library: VoiceLibrary, consent: SpokenConsent) -> None:
    voices = [lend(library, CLIP.slice(0, end), consent, Loan(f"Angus {end}")) for end in (3.2, 3.4)]
    library.withdraw(consent.id)
    assert library.consents.all() == []
    assert all(library.card(voice.id).revoked is not None for voice in voices)
