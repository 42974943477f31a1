"""A speech recogniser limited to given sentences, to measure how intelligible synthesised speech is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np
import pocketsphinx

from agentaudio import Audio
from agentaudio.model.embedded.hearing.language_model import compile_domain
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.sound.levels import gain_to
from agentaudio.text.spoken_form import spoken_form

SAMPLE_RATE_HZ = 16_000
SPEECH_RMS = 0.07
ROOM_NOISE_RMS = 1e-3
"""PocketSphinx is trained on recordings made in rooms; exact digital silence between words misleads it."""


def words(text: str) -> str:
    """Normalise `text` for a word error rate: its spoken form in lower case, without punctuation."""
    return " ".join("".join(c if c.isalnum() or c == "'" else " " for c in spoken_form(text).lower()).split())


class Listener:
    """PocketSphinx with a 3-gram language model and vocabulary made from `sentences` alone."""

    def __init__(self, sentences: Sequence[str]) -> None:
        synthesiser = Espeak()
        domain = compile_domain(sentences, synthesiser.phonemes)
        synthesiser.close()
        if domain is None:
            raise ValueError("a listener needs at least one sentence")
        models = Path(pocketsphinx.get_model_path(), "en-us")
        vocabulary = {word for sentence in sentences for word in words(sentence).split()}
        with tempfile.TemporaryDirectory() as folder:
            arpa, dictionary = Path(folder, "domain.arpa"), Path(folder, "domain.dict")
            arpa.write_text(domain.arpa, encoding="utf-8")
            known = (models / "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines()
            entries = [line for line in known if line.split(" ", 1)[0].split("(")[0] in vocabulary]
            entries += [f"{word} {phones}" for word, phones in domain.pronunciations.items()]
            dictionary.write_text("\n".join(dict.fromkeys(entries)) + "\n", encoding="utf-8")
            self._decoder = pocketsphinx.Decoder(
                hmm=str(models / "en-us"), lm=str(arpa), dict=str(dictionary), loglevel="FATAL", logfn=os.devnull
            )
        self._noise = np.random.default_rng(0)

    def hear(self, audio: Audio) -> str:
        """Recognise `audio`, with quiet room noise added and 0.25 s of it before and after."""
        samples = audio.resample(SAMPLE_RATE_HZ).samples
        pause = np.zeros(SAMPLE_RATE_HZ // 4, np.float32)
        samples = np.concatenate([pause, samples * gain_to(SPEECH_RMS, samples), pause])
        noisy = samples + ROOM_NOISE_RMS * self._noise.normal(size=len(samples))
        self._decoder.start_utt()
        self._decoder.process_raw(Audio(noisy, SAMPLE_RATE_HZ).to_pcm16(), full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return best.hypstr if best is not None else ""

    def wer(self, said: str, audio: Audio) -> float:
        """Word error rate in percent of the recognised words against `said`."""
        return 100 * float(jiwer.wer(words(said), self.hear(audio) or "nothing"))
