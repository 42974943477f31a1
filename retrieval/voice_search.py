"""`VoiceSearch`: find the voice that a description asks for, or say that none fits."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from agentaudio.audio import Audio
from agentaudio.errors import RetrievalError
from agentaudio.retrieval.embedding import Embed
from agentaudio.retrieval.text_index import TextIndex, words
from agentaudio.retrieval.vector_index import VectorIndex
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.speaker_encoder import SpeakerEncoder
from agentaudio.voice_library.voice import Voice

# What people call the attributes of a card. A word may name several values ("girl": female, child or young).
_GENDER = {
    "female": "woman women female lady girl grandmother granny grandma mother mom she her queen actress sister",
    "male": "man men male guy gentleman boy grandfather grandpa granddad father dad he him king actor brother",
}
_AGE = {
    "child": "child kid girl boy toddler",
    "young": "young youthful teenager teenage girl boy",
    "old": "old elderly aged grandfather grandmother grandpa grandma granddad granny senior",
}
_LANGUAGE = {
    "en": "english british american scottish", "it": "italian", "fr": "french", "de": "german", "es": "spanish",
    "ru": "russian", "cs": "czech", "fi": "finnish", "ca": "catalan", "hi": "hindi indian", "zh": "chinese",
    "pl": "polish", "pt": "portuguese", "sv": "swedish", "nl": "dutch",
}  # fmt: skip
_ACCENT_WORDS = frozenset("british american scottish".split())
_ASKING = frozenset(
    "voice speak talk sound answer say use like please want hear can make switch change reader speaker someone "
    "person somebody style tone accent speaking".split()
)
_DEFAULT = re.compile(
    r"\b(default|original|normal|usual|regular|standard|own|your|previous|first)\b.*\bvoice\b"
    r"|^\W*(default|reset)\W*$"
    r"|默认"
)
_ENDING = re.compile(r"([a-z]{3,}?)(?:ing|ed|er|est|ly|s)")


@dataclass(frozen=True, slots=True)
class VoiceMatch:
    """A voice that was found. score: 0 to 1; signals: what it is made of, by name."""

    voice: Voice
    score: float
    signals: dict[str, float] = field(default_factory=dict)


def asks_for_default(query: str) -> bool:
    """Whether the words ask for the voice that the agent started with."""
    return _DEFAULT.search(query.lower()) is not None


class VoiceSearch:
    """Search over the voices of a library that may be used for synthesis.

    embed: texts to unit vectors; None searches by words only
    encoder: clips to speaker embeddings, for `by_clip`
    min_score: below it nothing fits; measured on paraphrased and on impossible requests
    """

    def __init__(
        self,
        library: VoiceLibrary,
        *,
        embed: Embed | None = None,
        encoder: SpeakerEncoder | None = None,
        min_score: float = 0.3,
    ) -> None:
        self.library = library
        self._embed = embed
        self._encoder = encoder
        self._min_score = min_score
        self._lock = threading.RLock()
        self._made_for: tuple[int, date] | None = None

    def _refresh(self) -> None:
        """Forget what was made of an earlier state of the library: voices come, go, and are revoked."""
        now = self.library.generation, date.today()
        if now != self._made_for:
            for made in ("_voices", "_words", "_descriptions"):
                self.__dict__.pop(made, None)
            self._made_for = now

    @cached_property
    def _voices(self) -> tuple[Voice, ...]:
        return tuple(self.library.at(self.library.select(purpose="synthesis")))

    @cached_property
    def _words(self) -> TextIndex:
        return TextIndex([_prose(voice) for voice in self._voices])

    @cached_property
    def _descriptions(self) -> VectorIndex | None:
        if self._embed is None:
            return None
        rows = self._embed([_prose(voice) for voice in self._voices])
        index = VectorIndex(rows.shape[1])
        index.add(range(len(rows)), rows)
        return index

    def prepare(self) -> None:
        """Build the indexes now instead of at the first search; it blocks for about 10 ms a voice."""
        with self._lock:
            self._refresh()
            if self._voices:
                _ = self._words, self._descriptions

    def by_text(self, query: str, k: int = 3) -> list[VoiceMatch]:
        """The voices that fit a description or a name, best first; empty when nothing fits.

        Attributes that the query names (gender, age, language, accent) are a filter before the
        ranking; within it the words of the card and their meaning decide.
        """
        with self._lock:
            self._refresh()
            return self._by_text(query, k) if query.strip() and self._voices else []

    def _by_text(self, query: str, k: int) -> list[VoiceMatch]:
        named = self._named(query)
        if named is not None:
            return [VoiceMatch(named, 1.0, {"name": 1.0})]
        candidates, asked = self._filter(query)
        if not candidates:
            return []
        lexical = dict(self._words.search(query, len(self._voices)))
        content = [w for w in words(query) if w not in _ASKING]
        meaning: dict[int, float] = {}
        if self._embed is not None and self._descriptions is not None:
            asked_vector = self._embed([" ".join(content) or query])[0]
            meaning = dict(self._descriptions.search(asked_vector, len(self._voices)))
        matches = []
        for position in candidates:
            voice = self._voices[position]
            known = {_root(w) for w in words(_prose(voice))} | _attribute_roots(voice)
            covered = [w for w in content if _root(w) in known]
            signals = {
                "words": round(len(covered) / len(content), 3) if content else 0.0,
                "meaning": round(max(0.0, meaning.get(position, 0.0)), 3),
            }
            best = max(lexical.values(), default=0.0)
            rank = lexical.get(position, 0.0) / best if best else 0.0
            score = 0.5 * signals["words"] + 0.35 * signals["meaning"] + 0.15 * rank
            if asked:
                signals["attributes"] = 1.0
            matches.append(VoiceMatch(voice, round(score, 4), signals))
        matches.sort(key=lambda match: -match.score)
        return [match for match in matches if match.score >= self._min_score][:k]

    def by_clip(self, clip: Audio, k: int = 3) -> list[VoiceMatch]:
        """The voices that sound most like a clip, best first, by cosine of speaker embeddings.

        Raises RetrievalError when the library has no embeddings, or they are another encoder's.
        """
        if self._encoder is None or self.library.encoder_name is None:
            raise RetrievalError(
                "this library has no speaker embeddings; open it with an encoder and add its voices again"
            )
        if self._encoder.name != self.library.encoder_name:
            raise RetrievalError(
                f"the library is embedded by {self.library.encoder_name!r}, the search by {self._encoder.name!r}"
            )
        index = VectorIndex(self.library.dim)
        for rows, vectors in self.library.embeddings():
            index.add(rows.tolist(), vectors)
        found = index.search(self._encoder.encode(clip), k, among=self.library.select(purpose="synthesis"))
        nearest = [(voice, round(s, 4)) for row, s in found for voice in self.library.at([row])]
        return [VoiceMatch(voice, score, {"speaker": score}) for voice, score in nearest]

    def _named(self, query: str) -> Voice | None:
        """The one voice whose name or id the query says."""
        said = set(re.findall(r"[\w-]+", query.lower()))
        named = [v for v in self._voices if v.id in said or set(v.name.lower().split()) <= said]
        return named[0] if len(named) == 1 else None

    def _filter(self, query: str) -> tuple[list[int], bool]:
        """Positions of the voices that have every attribute which the query names."""
        said = set(re.findall(r"[a-z]+", query.lower()))
        genders = {value for value, names in _GENDER.items() if said & set(names.split())}
        ages = {value for value, names in _AGE.items() if said & set(names.split())}
        languages = {code for code, names in _LANGUAGE.items() if said & set(names.split())}
        accents = said & _ACCENT_WORDS
        if {"child", "young"} <= ages and said & {"little", "small", "child", "kid"}:
            ages = {"child"}
        chosen = []
        for position, voice in enumerate(self._voices):
            card = voice.card
            fits = (
                (not genders or card.gender in genders or (card.gender is None and not said & {"man", "woman"}))
                and (not ages or card.age in ages)
                and (not languages or card.language.split("-")[0] in languages)
                and (not accents or bool(accents & set(re.findall(r"[a-z]+", _prose(voice).lower()))))
            )
            if fits:
                chosen.append(position)
        return chosen, bool(genders or ages or languages or accents)


def _prose(voice: Voice) -> str:
    card = voice.card
    extras = [card.style or "", card.accent or "", *card.tags]
    return f"{card.name}. {card.description} {' '.join(e for e in extras if e)}"


def _root(word: str) -> str:
    """Without the ending that people vary: softer, whispered, whispering, slowly."""
    match = _ENDING.fullmatch(word)
    return match[1] if match else word


def _attribute_roots(voice: Voice) -> set[str]:
    """Words that a card's attributes explain: asking for an "old man" is answered by age and gender."""
    card = voice.card
    explained: set[str] = set()
    for value, table in ((card.gender, _GENDER), (card.age, _AGE), (card.language.split("-")[0], _LANGUAGE)):
        if value in table:
            explained |= {_root(word) for word in words(table[value])}
    return explained
