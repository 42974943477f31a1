"""Recognition: open and expected speech, names outside the dictionary, silence, and failing processes."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import AudioError, OptionError
from agentaudio.model.embedded.hearing.language_model import compile_domain, spoken_words
from agentaudio.model.embedded.hearing.pronunciation import arpabet
from agentaudio.model.embedded.hearing.sphinx_pool import SphinxPool, SphinxWords
from agentaudio.model.embedded.hearing.sphinx_worker import _readable
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.sound.audio import Audio

pytest.importorskip("pocketsphinx", reason="the extra embedded is not installed")
pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

REQUESTS = Path(__file__).resolve().parents[3] / "benchmarks" / "requests"
EXPECTED = (
    "please tell me about the great wall of china",
    "when does the science museum open",
    "the great wall at Badaling is crowded",
)


@pytest.fixture(scope="module")
def recogniser() -> Iterator[SphinxPool]:
    recogniser = SphinxPool()
    yield recogniser
    recogniser.close()


@pytest.fixture(scope="module")
def question() -> tuple[Audio, str]:
    """A clear recording and its words."""
    first = json.loads((REQUESTS / "test.jsonl").read_text("utf-8").splitlines()[0])
    return Audio.load(REQUESTS / "audio" / f"{first['id']}.opus"), first["text"]


@pytest.fixture(scope="module")
def unexpected(recogniser: SphinxPool, question: tuple[Audio, str]) -> SphinxWords:
    """What is heard of the question without a sentence that may be said."""
    return recogniser.recognise(question[0])


@pytest.fixture(scope="module")
def expected(recogniser: SphinxPool, question: tuple[Audio, str]) -> SphinxWords:
    """What is heard of the question when it is one of the sentences that may be said."""
    return recogniser.recognise(question[0], EXPECTED)


def test_open_speech_comes_out_nearly_right(unexpected: SphinxWords) -> None:
    assert unexpected.text.startswith("please tell me about the great")
    assert 0.5 < unexpected.confidence < 1.0


def test_expected_sentences_make_it_right_and_surer(
    expected: SphinxWords, unexpected: SphinxWords, question: tuple[Audio, str]
) -> None:
    assert expected.text == question[1] == EXPECTED[0]
    assert expected.confidence > unexpected.confidence


def test_words_carry_times_and_posteriors(expected: SphinxWords, question: tuple[Audio, str]) -> None:
    assert " ".join(word.word for word in expected.words) == expected.text
    assert all(0 <= word.start_s < word.end_s <= question[0].duration for word in expected.words)
    assert all(0 <= word.posterior <= 1 for word in expected.words)


def test_unexpected_speech_is_still_heard(recogniser: SphinxPool, question: tuple[Audio, str]) -> None:
    heard = recogniser.recognise(question[0], ["set a timer for ten minutes", "lights off in the kitchen"])
    assert heard.text.startswith("please tell me about the great")


def test_rate_and_loudness_do_not_matter(recogniser: SphinxPool, question: tuple[Audio, str]) -> None:
    audio, said = question
    quiet = Audio(audio.samples * np.float32(0.03), audio.sample_rate).resample(44_100)
    assert recogniser.recognise(quiet, EXPECTED).text == said


@pytest.mark.parametrize("seconds", [0.0, 0.001, 2.0])
def test_silence_gives_no_text(recogniser: SphinxPool, seconds: float) -> None:
    heard = recogniser.recognise(Audio.silence(seconds, 16_000), EXPECTED)
    assert (heard.text, heard.confidence) == ("", 0.0)


def test_noise_gives_no_text(recogniser: SphinxPool) -> None:
    noise = np.random.default_rng(0).standard_normal(32_000).astype(np.float32) * 0.1
    assert recogniser.recognise(Audio(noise, 16_000)).text == ""


def test_more_than_a_minute_is_refused(recogniser: SphinxPool) -> None:
    with pytest.raises(AudioError, match="61 s is too long.*limit is 60 s"):
        recogniser.recognise(Audio.silence(61.0, 16_000))


def test_a_killed_process_is_replaced(recogniser: SphinxPool, question: tuple[Audio, str]) -> None:
    recogniser.prepare(EXPECTED)
    (first,) = recogniser.pids
    os.kill(first, signal.SIGKILL)
    assert recogniser.recognise(question[0], EXPECTED).text == question[1]
    assert recogniser.pids != [first]


def test_two_threads_are_heard_at_once(recogniser: SphinxPool, question: tuple[Audio, str]) -> None:
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(recogniser.recognise(question[0], EXPECTED).text))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [question[1]] * 2


def test_more_domains_than_a_process_keeps_all_work(question: tuple[Audio, str]) -> None:
    recogniser = SphinxPool(domain_weight=1.0, processes=1)
    try:
        for number in (*range(6), 0):
            domain = [EXPECTED[0], f"number {number + 2}"]
            assert recogniser.recognise(question[0], domain).text == question[1]
    finally:
        recogniser.close()


@pytest.mark.parametrize("weight", [0.0, -1.0, 1.5])
def test_an_impossible_weight_is_refused(weight: float) -> None:
    with pytest.raises(OptionError, match="domain_weight"):
        SphinxPool(domain_weight=weight)


def test_a_name_outside_the_dictionary_is_recognised_by_its_phonemes() -> None:
    pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")
    synthesiser = Espeak()
    recogniser = SphinxPool(synthesiser.phonemes, processes=1)
    try:
        speech = synthesiser.speak("The great wall at Badaling is crowded.")
        assert "badaling" in recogniser.recognise(speech, EXPECTED).text.split()
    finally:
        recogniser.close()
        synthesiser.close()


def test_without_phonemes_unknown_words_are_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        model = compile_domain(["the great wall at Badaling", "xqzzt"])
    assert model is not None and "wall" in model.pronunciations
    assert "badaling" not in model.pronunciations and " badaling " not in model.arpa
    assert "badaling" in caplog.text


def test_braces_in_a_sentence_are_only_signs_and_no_words_give_no_model() -> None:
    model = compile_domain(["play {song} by {0} please"])
    assert model is not None and set(model.pronunciations) >= {"play", "song", "by", "please"}
    assert compile_domain(["", "{}", "!!"]) is None


def test_numbers_are_expected_as_they_are_said() -> None:
    assert spoken_words("It is 21,000 km long.") == "it is twenty one thousand kilometers long".split()


def test_every_phoneme_table_entry_is_a_phone_of_the_acoustic_model() -> None:
    import pocketsphinx

    model = Path(pocketsphinx.get_model_path(), "en-us", "cmudict-en-us.dict").read_text("utf-8")
    known = {phone for line in model.splitlines() for phone in line.split()[1:]}
    ipa = "aɪɚ oʊ tʃ dʒ ɹ θ ð ŋ ʒ ɜː ɚ ᵻ ɾ ʔ x ç ɲ y ø ɔ̃ w j".split()
    assert {phone for sound in ipa for phone in arpabet([sound])} <= known
    assert arpabet(["你"]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="uses memory as a file")
def test_phrases_are_never_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with _readable("a phrase of the user, é") as path:
        assert path.read_text("utf-8") == path.read_text("utf-8") == "a phrase of the user, é"
        assert list(tmp_path.iterdir()) == [] and "memfd:" in os.readlink(path)
    assert not path.exists() or "memfd:" not in os.readlink(path)
