"""`VoiceSearch`: voices by words, by sound or by attributes, or none when none fits."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.text.fusion import reciprocal_rank_fusion
from agentaudio.retrieval.vectors.build import Vectors
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.vectors.index import VectorIndex
from agentaudio.retrieval.voices.indexes import VoiceIndexes
from agentaudio.retrieval.voices.names import names_said
from agentaudio.retrieval.voices.query import Wish, read_request, trait_term
from agentaudio.retrieval.voices.rows import excluded, with_attributes
from agentaudio.retrieval.voices.score import ATTRIBUTES_ALONE, LEAST_TEXT_SCORE, likelihood, weigh
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import CalibratedSpeakerEncoder, SpeakerEncoder
from agentaudio.text.embedding import Embed, embed_query, find_embedder
from agentaudio.text.terms import search_terms
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Voice

POOL = 50
SAME_SPEAKER_ABOVE = 0.9
"""Cosine at which two voices count as the same speaker when the encoder does not define one."""

DOUBTFUL_ABOVE = 0.4
"""Probability of the same speaker from which the nearest voice is offered when none is sure."""
STRANGER = 0.6
"""Cosine with the nearest of a few other speakers, where a library holds no other."""

OneOf = str | Iterable[str] | None


@dataclass(frozen=True, slots=True)
class VoiceMatch:
    """A voice that was found.

    score: 0 to 1; the mean of `text` and `speaker` when both words and a clip were given
    signals: the parts of the score: `name` (1 when the query names the voice), `words` (share of the wish's traits
        and words that the voice has), `meaning` (cosine of the texts), `text` (probability that the voice fits the
        words), `speaker` (cosine of the clips), `same_speaker` (probability, of the nearest voice when it is in doubt)
    reason: one line for people
    """

    voice: Voice
    score: float
    signals: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


class VoiceSearch:
    """Search over the voices of a library that may be used for synthesis.

    Changes that other processes make to the library are seen by the next search.

    embed: text embedder, or its name for `load_embedder`; None searches by words only
    encoder: speaker encoder for search by clip; None takes the library's
    speakers: index of speaker embeddings; None builds one in this process
    may_copy_talker: whether tools may use the voice of the person who is speaking as a reference
    """

    def __init__(
        self,
        library: VoiceLibrary,
        *,
        embed: Embed | str | None = None,
        encoder: SpeakerEncoder | None = None,
        speakers: VectorIndex | None = None,
        may_copy_talker: bool = False,
    ) -> None:
        self.library = library
        self.may_copy_talker = may_copy_talker
        self._embed = find_embedder(embed)
        self._encoder = encoder or library.encoder
        self._indexes = VoiceIndexes(library, self._embed, speakers)
        self._hides_private, self._owner = False, ""

    def seen_by(self, owner: str) -> VoiceSearch:
        """This search, for one owner: it does not find the private voices of others. Both share their indexes."""
        view = copy.copy(self)
        view._hides_private, view._owner = True, owner
        return view

    @property
    def hidden(self) -> frozenset[str]:
        """Ids of the voices that are not found, because they are private and somebody else's."""
        if not self._hides_private:
            return frozenset()
        return frozenset(id for id, owner in self.library.private().items() if owner != self._owner)

    def get(self, wanted: str) -> Voice:
        """The voice with this id or name, as `VoiceLibrary.get`, unless it is hidden. Raises VoiceNotFound."""
        return self.library.get(wanted, hidden=self.hidden)

    def __iter__(self) -> Iterator[Voice]:
        """Every voice that is neither revoked nor hidden, oldest first."""
        hidden = self.hidden
        return (voice for voice in self.library if voice.id not in hidden)

    def prepare(self) -> None:
        """Build the indexes of the cards now instead of at the first search; blocks for about 10 ms per voice."""
        self._indexes.texts()

    def stats(self) -> dict[str, Any]:
        """`FaissIndex.stats` of the index of speaker embeddings; empty when the library has none.

        Its recall was measured against exact search when the index was built.
        """
        if self.library.encoder_name is None:
            return {}
        index = self._indexes.speakers()
        return index.stats() if isinstance(index, FaissIndex) else {"vectors": len(index)}

    def search(
        self,
        text: str | None = None,
        clip: Audio | Vectors | None = None,
        k: int = 3,
        *,
        gender: OneOf = None,
        age: OneOf = None,
        language: OneOf = None,
        accent: OneOf = None,
        tags: Iterable[str] = (),
        exclude: Iterable[Voice | str] = (),
        min_score: float | None = None,
        diverse: bool = True,
    ) -> list[VoiceMatch]:
        """The voices that fit, best first; empty when none does.

        text: a description or a name in English, or in Chinese words that retrieval/voices/vocabulary.py lists. Gender,
            age and place in it filter before the ranking; what it does not want ("anyone but a robot") is left out,
            and of a choice ("an old man or an old woman") a voice meets one. A name decides when it is the whole
            request or comes after "called", "named" or "the voice of", but not against gender, age or place.
        clip: a voice to sound like: Audio, or a speaker embedding (dim,) float32
        gender, age, language, accent, tags: as `VoiceLibrary.select` takes them; they filter before the ranking
        exclude: voices, or their ids or names, to leave out
        min_score: lowest score of a match. None takes the measured one: LEAST_TEXT_SCORE for words, and for a clip
            alone the cosine at which the encoder assumes the same speaker. When no voice reaches that and the encoder
            is calibrated, the nearest voice is offered alone if its probability is at least DOUBTFUL_ABOVE
        diverse: return only the best of several voices that sound alike

        With words and a clip, the words decide which voices fit and both decide the order. With neither, the voices
        that have the attributes come in the order they were added.

        Raises RetrievalError when a clip is given and the library has no speaker embeddings, or those of
        another encoder; VoiceError when the clip holds too little speech.
        """
        allowed = self._allowed(gender, age, language, accent, tags, exclude)
        pool = max(POOL, 4 * k)
        if k < 1 or not len(allowed) or (text is not None and not text.strip()):
            return []
        vector = None if clip is None else self._speaker(clip)
        if text is not None:
            found = self._by_text(text, allowed, pool, vector)
            least = LEAST_TEXT_SCORE if min_score is None else 0.0
            found = {row: match for row, match in found.items() if match.score >= least}
            if vector is not None:
                found = self._with_sound(found, vector)
        elif vector is not None:
            found = self._by_sound(vector, allowed, pool)
            if min_score is None:
                found = self._same_speaker(found)
        else:
            rows = allowed.ids()[:pool].tolist()
            found = {row: VoiceMatch(voice, 1.0, {}, "has these attributes") for row, voice in self._at(rows)}
        ranked = sorted(found.items(), key=lambda item: (-item[1].score, item[0]))
        chosen = [(row, match) for row, match in ranked if min_score is None or match.score >= min_score]
        return self._distinct(chosen, k) if diverse else [match for _, match in chosen[:k]]

    def _allowed(
        self, gender: OneOf, age: OneOf, language: OneOf, accent: OneOf, tags: Iterable[str],
        exclude: Iterable[Voice | str],
    ) -> IdSet:  # fmt: skip
        tags = tuple(tags)
        given = {"gender": gender, "age": age, "language": language, "accent": accent}
        conditions = {
            name: value if isinstance(value, str) else tuple(value)
            for name, value in given.items()
            if value is not None
        }
        allowed = self._indexes.refresh()
        if conditions or tags:
            allowed = self._indexes.select(**conditions, tags=tags)
        ids = [*(voice.id if isinstance(voice, Voice) else voice for voice in exclude), *self.hidden]
        return allowed - self._indexes.rows_of(ids) if ids else allowed

    # By words

    def _by_text(self, text: str, allowed: IdSet, pool: int, vector: Vectors | None) -> dict[int, VoiceMatch]:
        """Candidates by name, words and meaning, and with a vector also by sound, each with its row."""
        request = read_request(text)
        index, _ = self._indexes.texts()
        unwanted = excluded(index, request.excluded)
        wished = allowed - unwanted
        named = IdSet()
        for term in names_said(text):
            named = index.holding(term) & wished
            if len(named):
                break
        found: dict[int, VoiceMatch] = {}
        for wish in request.alternatives:
            anything = wish.empty and bool(request.excluded)
            if wish.contradictory or (anything and not len(unwanted)):
                continue
            asked = None if anything else wish.english or text
            for row, match in self._by_wish(wish, asked, wished, named, pool, vector).items():
                if len(unwanted):
                    match = _without(match, request.excluded, anything)
                if row not in found or match.score > found[row].score:
                    found[row] = match
        # A name decides, except against an attribute that was asked for.
        return {row: match for row, match in found.items() if "name" in match.signals} or found

    def _by_wish(
        self, wish: Wish, text: str | None, wished: IdSet, named: IdSet, pool: int, vector: Vectors | None
    ) -> dict[int, VoiceMatch]:
        """Candidates that have the attributes of a wish; those that are named, where any has the attributes.

        text: what is compared with the meaning of the cards; None compares nothing
        """
        index, meanings = self._indexes.texts()
        fitting = with_attributes(index, wish, wished)
        if len(named & fitting):
            fitting &= named
        if not len(fitting):
            return {}
        terms = [*search_terms(wish.english), *map(trait_term, wish.manners), *(f"~{root}" for root in wish.rest)]
        rankings = [index.search(" ".join(terms), pool, among=fitting)]
        asked: Vectors | None = None
        if self._embed is not None and meanings is not None and text is not None:
            asked = embed_query(self._embed, text)
            rankings.append(meanings.search(asked, pool, among=fitting))
        if vector is not None:
            rankings.append(self._indexes.speakers().search(vector, pool, among=fitting))
        rows = [row for row, _ in reciprocal_rank_fusion(*rankings)][:pool] or fitting.ids()[:pool].tolist()
        close: dict[int, float] = {}
        if asked is not None and meanings is not None:
            close = dict(meanings.search(asked, len(rows), among=IdSet(rows)))
        return {
            row: _judged(voice, wish, close.get(row, 0.0) if asked is not None else None, row in named)
            for row, voice in self._at(rows)
        }

    # By sound

    def _speaker(self, clip: Audio | Vectors) -> Vectors:
        library = self.library
        if isinstance(clip, np.ndarray):
            if clip.shape != (library.dim,) or not np.isfinite(clip).all():
                raise RetrievalError(
                    f"a speaker embedding of shape {clip.shape} does not fit a library of width {library.dim}; "
                    f"compute it with the encoder {library.encoder_name!r}"
                )
            return clip
        if self._encoder is None or library.encoder_name is None:
            raise RetrievalError(
                "to search by clip, give VoiceSearch an encoder and embed the library's voices with it "
                "(`agentaudio voices reindex`)"
            )
        if self._encoder.name != library.encoder_name:
            raise RetrievalError(
                f"the library is embedded by {library.encoder_name!r}, the search by {self._encoder.name!r}; use the "
                "library's encoder, or embed the library again with `agentaudio voices reindex --encoder`"
            )
        return self._encoder.encode(clip)

    def _by_sound(self, vector: Vectors, allowed: IdSet, pool: int) -> dict[int, VoiceMatch]:
        near = self._indexes.speakers().search(vector, pool, among=allowed)
        cosines = self._cosines(vector, [row for row, _ in near])
        return {
            row: VoiceMatch(
                voice, max(0.0, cosines[row]), {"speaker": cosines[row]}, f"sounds alike, {cosines[row]:.2f}"
            )
            for row, voice in self._at(cosines)
        }

    def _same_speaker(self, found: dict[int, VoiceMatch]) -> dict[int, VoiceMatch]:
        """The voices of the clip's speaker; or the nearest voice, said to be doubtful; or none."""
        sure = {row: match for row, match in found.items() if match.score >= self._same_speaker_above}
        if sure or not found or not isinstance(self._encoder, CalibratedSpeakerEncoder):
            return sure
        best, *others = sorted(found, key=lambda row: (-found[row].score, row))
        vectors = self._indexes.embeddings(found)
        another = [row for row in others if float(vectors[row] @ vectors[best]) < self._same_speaker_above]
        nearest = max((found[row].signals["speaker"] for row in another), default=STRANGER)
        match = found[best]
        chance = self._encoder.same_speaker_probability(match.signals["speaker"], max(nearest, STRANGER))
        if chance < DOUBTFUL_ABOVE:
            return {}
        signals = {**match.signals, "same_speaker": round(chance, 4)}
        reason = f"may be the same speaker ({chance:.0%}), {match.signals['speaker']:.2f}"
        return {best: replace(match, signals=signals, reason=reason)}

    def _with_sound(self, found: dict[int, VoiceMatch], vector: Vectors) -> dict[int, VoiceMatch]:
        cosines = self._cosines(vector, found)
        return {
            row: VoiceMatch(
                found[row].voice, round((found[row].score + max(0.0, cosine)) / 2, 4),
                {**found[row].signals, "speaker": cosine}, f"{found[row].reason}; sounds alike, {cosine:.2f}",
            )
            for row, cosine in cosines.items()
        }  # fmt: skip

    def _cosines(self, vector: Vectors, rows: Iterable[int]) -> dict[int, float]:
        unit = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return {row: round(float(own @ unit), 4) for row, own in self._indexes.embeddings(rows).items()}

    @property
    def _same_speaker_above(self) -> float:
        return SAME_SPEAKER_ABOVE if self._encoder is None else self._encoder.same_speaker_above

    # Both

    def _at(self, rows: Iterable[int]) -> list[tuple[int, Voice]]:
        """The voices of these rows that are still usable: one may be revoked after the index was read."""
        return [(row, voice) for row, voice in self._indexes.voices(rows) if voice.card.revoked is None]

    def _distinct(self, ranked: list[tuple[int, VoiceMatch]], k: int) -> list[VoiceMatch]:
        """The k best matches, of which no two sound like the same speaker."""
        vectors = self._indexes.embeddings(row for row, _ in ranked)
        kept: list[VoiceMatch] = []
        heard: list[Vectors] = []
        clips: set[str] = set()
        for row, match in ranked:
            vector, clip = vectors.get(row), match.voice.card.sha256
            alike = vector is not None and any(float(vector @ other) >= self._same_speaker_above for other in heard)
            if alike or clip in clips:
                continue
            kept.append(match)
            clips.add(clip)
            if vector is not None:
                heard.append(vector)
            if len(kept) == k:
                break
        return kept


def _judged(voice: Voice, wish: Wish, meaning: float | None, named: bool) -> VoiceMatch:
    """The match of a voice that has the attributes of a wish."""
    evidence = weigh(voice.card, wish)
    covered = evidence.met + evidence.found
    asked = len(covered) + len(evidence.missed) + len(evidence.unknown)
    signals = {"words": round(len(covered) / max(1, asked), 4)}
    if meaning is not None:
        signals["meaning"] = round(max(0.0, meaning), 4)
    reasons = [f"is {', '.join(evidence.met)}"] if evidence.met else []
    reasons += [f"its card says {', '.join(evidence.found)}"] if evidence.found else []
    if named:
        signals |= {"name": 1.0, "text": 1.0}
        reasons.insert(0, f"is called {voice.name}")
    elif evidence.met and not wish.manners and not wish.rest:
        signals["text"] = ATTRIBUTES_ALONE
    else:
        signals["text"] = round(likelihood(wish, evidence, meaning), 4)
    return VoiceMatch(
        voice, signals["text"], signals, "; ".join(reasons) or f"is alike in meaning, {signals.get('meaning', 0.0):.2f}"
    )


def _without(match: VoiceMatch, unwanted: Iterable[Wish], anything: bool) -> VoiceMatch:
    """The match of a voice that has nothing of what is unwanted. anything: the request asks for nothing else"""
    nots = [f"is not {wish.english}" for wish in unwanted]
    if not anything:
        return replace(match, reason="; ".join([match.reason, *nots]))
    signals = {**match.signals, "words": 1.0, "text": max(match.score, ATTRIBUTES_ALONE)}
    return replace(match, score=signals["text"], signals=signals, reason="; ".join(nots))
