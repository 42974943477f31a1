"""Bad reference clips are named, and refused where the library's policy says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from agentaudio.cli import main
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.defects import find_defects
from agentaudio.voice_library.excerpt import Excerpt
from agentaudio.voice_library.ingest import IngestReport, ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.quality import measure_quality
from agentaudio.voice_library.voice import Policy

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

RATE = 16_000
Wave = NDArray[Any]


def speech(id: str) -> Wave:
    return demo_voices().get(id).clip.resample(RATE).samples.astype(np.float64)


def saved(wave: Wave, file: Path) -> Path:
    return Audio((wave / np.abs(wave).max() * 0.6).astype(np.float32), RATE).save(file)


def with_sound(wave: Wave, other: Wave, snr_db: float) -> Wave:
    return np.asarray(wave + np.resize(other, len(wave)) * np.std(wave) / np.std(other) / 10 ** (snr_db / 20))


def an_organ(length: int) -> Wave:
    """Held chords, another one each half second."""
    at = np.arange(length) / RATE
    chords = np.array([[220.0, 277.2, 329.6], [246.9, 311.1, 370.0], [196.0, 246.9, 293.7]])
    of_time = chords[(at * 2).astype(int) % 3].T
    parts = [np.sin(2 * np.pi * part * voice * at) / part for part in (1, 2, 3, 4) for voice in of_time]
    return np.asarray(np.sum(parts, axis=0))


def a_hall(wave: Wave) -> Wave:
    """Two seconds of decay, direct sound at the level of the reverberation."""
    tail = np.random.default_rng(8).standard_normal(2 * RATE) * np.exp(-6.9 * np.arange(2 * RATE) / RATE / 2.0)
    tail = np.concatenate([[np.sqrt(np.sum(tail**2))], tail])
    length = len(wave) + len(tail) - 1
    return np.fft.irfft(np.fft.rfft(wave, length) * np.fft.rfft(tail, length), length)[: len(wave) + RATE]


SPOILED: dict[str, Callable[[Wave], Wave]] = {
    "clipping": lambda wave: np.clip(wave, -0.25 * np.abs(wave).max(), 0.25 * np.abs(wave).max()),
    "music": lambda wave: with_sound(wave, an_organ(len(wave)), 2),
    "noise": lambda wave: with_sound(wave, np.random.default_rng(3).laplace(size=len(wave)), 1),
    "reverberation": a_hall,
}


@pytest.fixture(scope="module")
def encoder() -> EmbeddedSpeakerEncoder:
    return EmbeddedSpeakerEncoder()


def defects(library: VoiceLibrary) -> dict[str, tuple[str, ...]]:
    return {voice.id: voice.card.quality.defects for voice in library if voice.card.quality is not None}


def test_each_defect_is_named_on_the_card_and_in_the_report(tmp_path: Path) -> None:
    for id in ("marcus", "claire", "angus"):
        saved(speech(id), tmp_path / "in" / f"{id}-clean.wav")
        for name, spoil in SPOILED.items():
            saved(spoil(speech(id)), tmp_path / "in" / f"{id}-{name}.wav")
    library = VoiceLibrary.create(tmp_path / "library")
    report = ingest(library, tmp_path / "in")
    found = defects(library)
    assert len(found) == len(report.added) == 15
    wrong = {id: names for id, names in found.items() if set(names) != ({id.split("-")[1]} - {"clean"})}
    assert len(wrong) <= 1, wrong
    assert {Path(note.file).stem for note in report.again} == {id for id, names in found.items() if names}


def test_two_people_are_found_on_two_channels_and_in_turn(tmp_path: Path, encoder: EmbeddedSpeakerEncoder) -> None:
    man, woman = speech("walter"), speech("yuki") if demo_voices().has("yuki") else speech("gina")
    length = min(len(man), len(woman))
    silence = np.zeros(length)
    folder = tmp_path / "in"
    folder.mkdir()
    stereo = {
        "call": (man[:length], 0.4 * woman[:length]),
        "turns": (np.concatenate([man[:length], silence]), np.concatenate([silence, woman[:length]])),
        "same": (man[:length], 0.5 * np.roll(man[:length], 40)),
        "one-side": (man[:length], silence),
        "inverted": (man[:length], -man[:length]),
    }
    for name, channels in stereo.items():
        soundfile.write(folder / f"{name}.wav", np.stack(channels, 1) * 0.6, RATE)
    turns = [
        part
        for at in range(0, length - 2 * RATE, 2 * RATE)
        for part in (man[at : at + 2 * RATE], woman[at : at + 2 * RATE])
    ]
    saved(np.concatenate(turns), folder / "mixed.wav")
    library = VoiceLibrary.create(tmp_path / "library", encoder=encoder)
    report = ingest(library, folder)
    found = defects(library)
    assert {id for id, names in found.items() if "two-channels" in names} == {"call", "turns"}, found
    assert "two-speakers" in found["mixed"] and not {"same", "one-side", "inverted"} & {
        Path(note.file).stem for note in report.again
    }
    assert any("name one with the column `channel`" in note.what for note in report.flagged)


def test_a_clip_in_some_noise_without_a_pause_cannot_be_measured() -> None:
    wave = with_sound(speech("marcus"), np.random.default_rng(1).standard_normal(RATE), 9)
    spoken = Audio((wave / np.abs(wave).max() * 0.6).astype(np.float32), RATE)
    excerpt = Excerpt(spoken, ((0.0, spoken.duration),))
    assert measure_quality(excerpt).snr_db is None
    assert list(find_defects(excerpt, None)) == ["no-pause"] and find_defects(excerpt, 9.0) == {}
    clean = demo_voices().get("marcus").clip
    assert find_defects(Excerpt(clean, ((0.0, clean.duration),)), None) == {}


def reasons(report: IngestReport) -> str:
    return " ".join(note.what for note in report.refused)


def test_the_policy_refuses_clips_and_says_what_to_record_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(SPOILED["clipping"](speech("marcus")), tmp_path / "in" / "clipped.wav")
    saved(SPOILED["noise"](speech("gina")), tmp_path / "in" / "noisy.wav")
    saved(speech("angus"), tmp_path / "in" / "good.wav")
    library = VoiceLibrary.create(tmp_path / "library")
    library.set_policy(Policy(refused_defects=("noise",)))
    report = ingest(library, tmp_path / "in")
    assert sorted(report.added) == ["clipped", "good"] and "dB above noise; record it again" in reasons(report)
    assert {Path(note.file).stem for note in report.again} == {"clipped", "noisy"}

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["voices", *arguments, "--voices", str(tmp_path / "shell")])
        return int(ended.value.code or 0), " ".join(capsys.readouterr().out.split())

    assert run("ingest", str(tmp_path / "in"))[0] == 0 and "noisy" in run("list")[1]
    assert run("remove", "noisy", "--yes")[0] == run("remove", "clipped", "--yes")[0] == 0
    assert "refuses clips with: clipping, noise" in run("policy", "--refuse", "noise", "--refuse", "clipping")[1]
    assert "without-both; it refuses clips with: clipping, noise" in run("policy", "without-both")[1]
    code, told = run("ingest", str(tmp_path / "in"))
    assert code == 1 and "record again" in told and "clipped.wav" in told and "noisy.wav" in told
    assert len(json.loads(run("ingest", str(tmp_path / "in"), "--json")[1])["again"]) == 2
    assert (
        "little-speech" in run("policy", "--refuse", "all")[1] and "with:" not in run("policy", "--refuse", "none")[1]
    )
