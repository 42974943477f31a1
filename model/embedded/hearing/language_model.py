"""A language model of a domain, compiled from examples of what may be said."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.embedded.hearing.pronunciation import arpabet
from agentaudio.text.spoken_form import spoken_form

DISCOUNT_MASS = 0.5
"""Share of the probability that is reserved for word sequences that are in no example."""

MOST_SENTENCES = 20_000
MOST_UNKNOWN_WORDS = 2_000
MOST_PRONUNCIATIONS = 4
"""The most pronunciations of one word in the dictionary, named "word", "word(2)" and so on."""

Phonemes = Callable[[Sequence[str]], list[list[str]]]

_WORD = re.compile(r"[^\W\d_]+(?:['.][^\W\d_]+)*")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DomainModel:
    """A compiled domain.

    key: hash of the content
    arpa: 3-gram model in ARPA format
    pronunciations: ARPABET phones by word; more pronunciations of a word are named "word(2)" and so on
    """

    key: str
    arpa: str
    pronunciations: Mapping[str, str]


def compile_domain(sentences: Iterable[str], phonemes: Phonemes | None = None) -> DomainModel | None:
    """A 3-gram language model with the fixed discount of PocketSphinx's own tool; None when it has no words.

    sentences: examples of what may be said
    phonemes: returns the IPA of words that are not in the dictionary; with None they are skipped with a warning

    Raises MissingExtra without the extra `embedded`, BackendError for more than MOST_SENTENCES sentences.
    """
    try:
        from pocketsphinx.lm import ArpaBoLM
    except ImportError:
        raise MissingExtra("recognising speech", "embedded") from None
    lines = _lines(sentences)
    words = dict.fromkeys(word for line in lines for word in line)
    pronunciations = _pronunciations(list(words), phonemes)
    lines = [known for line in lines if (known := [word for word in line if word in pronunciations])]
    if not lines:
        return None
    text = "\n".join(" ".join(line) for line in lines)
    model = ArpaBoLM(text=text, add_start=True, discount_mass=DISCOUNT_MASS)
    with contextlib.redirect_stdout(io.StringIO()):
        model.compute()
        arpa = io.StringIO()
        model.write(arpa)
    content = arpa.getvalue() + repr(sorted(pronunciations.items()))
    return DomainModel(hashlib.sha256(content.encode()).hexdigest()[:32], arpa.getvalue(), pronunciations)


def spoken_words(text: str) -> list[str]:
    """Lower-case words of the spoken form: "21,000 km" gives twenty, one, thousand, kilometers."""
    return _WORD.findall(spoken_form(text).lower().replace("’", "'"))


def _lines(sentences: Iterable[str]) -> list[list[str]]:
    lines: list[list[str]] = []
    for sentence in sentences:
        if words := spoken_words(sentence):
            lines.append(words)
        if len(lines) > MOST_SENTENCES:
            raise BackendError(
                f"a domain of more than {MOST_SENTENCES} sentences cannot be compiled; give fewer examples"
            )
    return lines


def _pronunciations(words: Sequence[str], phonemes: Phonemes | None) -> dict[str, str]:
    dictionary = _dictionary()
    found: dict[str, str] = {}
    unknown: list[str] = []
    for word in words:
        if word not in dictionary:
            unknown.append(word)
            continue
        for number in range(1, MOST_PRONUNCIATIONS + 1):
            name = word if number == 1 else f"{word}({number})"
            if name in dictionary:
                found[name] = dictionary[name]
    unknown = unknown[:MOST_UNKNOWN_WORDS]
    if unknown and phonemes is None:
        _log.warning("these words will not be recognised without eSpeak NG: %s", ", ".join(unknown[:20]))
    elif unknown and phonemes is not None:
        for word, sounds in zip(unknown, phonemes(unknown), strict=True):
            if phones := arpabet(sounds):
                found[word] = " ".join(phones)
    return found


@functools.cache
def _dictionary() -> dict[str, str]:
    import pocketsphinx

    path = Path(pocketsphinx.get_model_path(), "en-us", "cmudict-en-us.dict")
    entries: dict[str, str] = {}
    for line in path.read_text("utf-8").splitlines():
        word, _, phones = line.partition(" ")
        entries[word] = phones.strip()
    return entries
