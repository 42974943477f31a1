"""Kokoro's stock styles as synthesisers of demo voices: `speak`, in nine languages.

English is pronounced by misaki's lexicons and Chinese by the extra `chinese`, as the engine pronounces them. Spanish,
French, Hindi and Italian are pronounced by the program espeak-ng, with which Kokoro was trained in these
languages. Japanese is given in kana and read by a table.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess

import numpy as np
from demo_synthesisers import NotInstalled
from numpy.typing import NDArray

from agentaudio.errors import AgentAudioError
from agentaudio.model.kokoro.network import KokoroNetwork
from agentaudio.model.kokoro.pronunciation import Pronunciation
from agentaudio.model.kokoro.spoken import SAMPLE_RATE_HZ
from agentaudio.model.kokoro.styles import LANGUAGES, stock_styles
from agentaudio.model.kokoro.symbols import IDS
from agentaudio.sound.audio import Audio
from agentaudio.weights.store import folder

TIMEOUT_S = 60
WORLD_FRAME_MS = 5.0

_LETTERS = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("e^ɪ", "A"), ("o^ʊ", "O"), ("ɔ^ɪ", "Y"),
    ("d^z", "ʣ"), ("d^ʒ", "ʤ"), ("t^s", "ʦ"), ("t^ʃ", "ʧ"),
)  # fmt: skip
"""Diphthongs and affricates of eSpeak, which Kokoro writes as single letters."""
_CLAUSE = re.compile(r"([^,;:.!?।]+)([,;:.!?।]*)")

_KANA = {
    "きゃ": "kʲa", "きゅ": "kʲɯ", "きょ": "kʲo", "しゃ": "ɕa", "しゅ": "ɕɯ", "しょ": "ɕo", "ちゃ": "ʨa",
    "ちゅ": "ʨɯ", "ちょ": "ʨo", "りょ": "ɾʲo", "じょ": "ʥo", "じゅ": "ʥɯ", "にゅ": "ɲɯ", "ひゃ": "ça",
    "ぎゅ": "ɡʲɯ", "あ": "a", "い": "i", "う": "ɯ", "え": "e", "お": "o", "か": "ka", "き": "kʲi", "く": "kɯ",
    "け": "ke", "こ": "ko", "さ": "sa", "し": "ɕi", "す": "sɨ", "せ": "se", "そ": "so", "た": "ta", "ち": "ʨi",
    "つ": "ʦɨ", "て": "te", "と": "to", "な": "na", "に": "ɲi", "ぬ": "nɯ", "ね": "ne", "の": "no", "は": "ha",
    "ひ": "çi", "ふ": "ɸɯ", "へ": "he", "ほ": "ho", "ま": "ma", "み": "mʲi", "む": "mɯ", "め": "me", "も": "mo",
    "や": "ja", "ゆ": "jɯ", "よ": "jo", "ら": "ɾa", "り": "ɾʲi", "る": "ɾɯ", "れ": "ɾe", "ろ": "ɾo", "わ": "βa",
    "を": "o", "ん": "ɴ", "ー": "ː", "っ": "ʔ", "が": "ɡa", "ぎ": "ɡʲi", "ぐ": "ɡɯ", "げ": "ɡe", "ご": "ɡo",
    "ざ": "ʣa", "じ": "ʥi", "ず": "zɨ", "ぜ": "ʣe", "ぞ": "ʣo", "だ": "da", "で": "de", "ど": "do", "ば": "ba",
    "び": "bʲi", "ぶ": "bɯ", "べ": "be", "ぼ": "bo", "ぱ": "pa", "ぴ": "pʲi", "ぷ": "pɯ", "ぺ": "pe", "ぽ": "po",
    "、": ", ", "。": ".", "？": "?", "！": "!", " ": " ",
}  # fmt: skip
"""Source: Labrune 2012, "The Phonology of Japanese", in Kokoro's letters."""


def speak(style: str, text: str, settings: dict[str, str]) -> Audio:
    """Speak a text in a stock style; mono, 24 kHz, without silence at the ends.

    settings: `language`, BCP-47, of the pronunciation (the style's own by default); `speed` (1); and of the voice,
        by WORLD: `pitch` (1) multiplies its fundamental frequency, `tract` (1) its formants

    Raises NotInstalled when weights, an extra or a program are missing.
    """
    language = settings.get("language", LANGUAGES[style[0]])
    phonemes = symbols(text, language)
    try:
        row = stock_styles().style(style).row(len(phonemes))
        spoken = _network().run(phonemes, row, float(settings.get("speed", "1")))
    except AgentAudioError as error:
        raise NotInstalled(str(error)) from None
    speech = Audio(spoken.trimmed(), SAMPLE_RATE_HZ)
    pitch, tract = float(settings.get("pitch", "1")), float(settings.get("tract", "1"))
    return speech if pitch == tract == 1 else reshaped(speech, pitch, tract)


def symbols(text: str, language: str) -> str:
    """A text of one language in Kokoro's symbols. Raises NotInstalled as `speak` does."""
    short = language.split("-")[0]
    if short == "ja":
        said = "".join(_KANA[kana] for kana in re.findall("|".join(_KANA), text))
    elif short in ("en", "zh"):
        try:
            parts = _pronunciation()(text, language=language, is_british=language == "en-GB")
        except AgentAudioError as error:
            raise NotInstalled(str(error)) from None
        said = " ".join(part.phonemes for part in parts)
    else:
        said = " ".join(_espeak(clause, language.lower()) + marks for clause, marks in _CLAUSE.findall(text))
    return "".join(symbol for symbol in said.replace("।", ".") if symbol in IDS)


def _espeak(clause: str, language: str) -> str:
    program = shutil.which("espeak-ng")
    if program is None:
        raise NotInstalled("espeak-ng is not installed: apt-get install espeak-ng")
    command = [program, "-q", "--ipa", "--tie=^", "-v", language, clause.strip()]
    ran = subprocess.run(command, check=True, timeout=TIMEOUT_S, capture_output=True, text=True)
    said = re.sub(r"\([a-z-]+\)", "", " ".join(ran.stdout.split()))
    for tied, letter in _LETTERS:
        said = said.replace(tied, letter)
    return re.sub(r"[\^.-]", "", said)


def reshaped(speech: Audio, pitch: float, tract: float) -> Audio:
    """Speech of another speaker: the fundamental frequency times `pitch`, the formants times `tract`.

    Raises NotInstalled without pyworld.
    """
    try:
        import pyworld
    except ImportError:
        raise NotInstalled("pyworld is not installed: pip install 'agentaudio[embedded]'") from None
    samples, rate = speech.samples.astype(np.float64), speech.sample_rate
    f0, times = pyworld.harvest(samples, rate, frame_period=WORLD_FRAME_MS)
    f0 = pyworld.stonemask(samples, f0, times, rate)
    envelope = pyworld.cheaptrick(samples, f0, times, rate)
    noise = pyworld.d4c(samples, f0, times, rate)
    made = pyworld.synthesize(f0 * pitch, _stretched(envelope, tract), _stretched(noise, tract), rate, WORLD_FRAME_MS)
    return Audio(np.asarray(made, np.float32), rate)


def _stretched(frames: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Spectra with every frequency times `factor`."""
    bins = np.arange(frames.shape[1])
    return np.ascontiguousarray([np.interp(bins / factor, bins, frame) for frame in frames])


@functools.cache
def _pronunciation() -> Pronunciation:
    return Pronunciation(folder("misaki"))


@functools.cache
def _network() -> KokoroNetwork:
    return KokoroNetwork(folder("kokoro"))
