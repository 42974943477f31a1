"""Finding rows by attributes, reading embeddings in batches, and changing the encoder."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share
from support.sounds import tone
from support.voices import Bands

from agentaudio.errors import VoiceError, VoiceNotFound
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.check import check
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.prepared import PreparedVoice
from agentaudio.voice_library.reindex import reindex
from agentaudio.voice_library.voice import Consent, VoiceCard

CARDS: tuple[dict[str, Any], ...] = (
    {"id": "a", "gender": "female", "age": "old", "language": "en-GB", "tags": ("Calm", "warm"), "accent": "Scottish"},
    {"id": "b", "gender": "male", "age": "old", "language": "en", "tags": ("calm",)},
    {"id": "c", "gender": "male", "age": "young", "language": "eno", "tags": ()},
    {"id": "d", "language": "zh-Hans-CN", "tags": ("Ärgerlich",)},
)


@pytest.fixture
def mixed(tmp_path: Path) -> VoiceLibrary:
    library = VoiceLibrary.create(tmp_path / "mixed", encoder=Bands())
    for number, card in enumerate(CARDS):
        library.add(tone(100 * (number + 1), 1 + number / 10), **({"name": "N", "description": ""} | card))
    return library


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        ({}, "abcd"),
        ({"gender": "male"}, "bc"),
        ({"gender": ["male", "female"], "age": "old"}, "ab"),
        ({"gender": []}, ""),
        ({"language": "en"}, "ab"),
        ({"language": "EN-gb"}, "a"),
        ({"language": ("zh", "eno")}, "cd"),
        ({"language": []}, ""),
        ({"tags": ["calm"]}, "ab"),
        ({"tags": ["calm", "WARM"]}, "a"),
        ({"tags": ["ärgerlich"]}, "d"),
        ({"tags": ["a\u0308rgerlich"]}, "d"),  # as macOS types it
        ({"accent": "scottish"}, "a"),
        ({"age": "'; DROP TABLE voices; --"}, ""),
        ({"embedded": True}, "abcd"),
        ({"embedded": False}, ""),
        ({"purpose": "synthesis"}, ""),
    ],
)
def test_rows_are_selected_by_every_condition(mixed: VoiceLibrary, conditions: dict[str, Any], ids: str) -> None:
    rows = mixed.select(**conditions)
    assert rows.dtype == np.int64
    assert "".join(voice.id for voice in mixed.at(rows)) == ids


def test_voices_come_in_the_order_of_the_rows_asked_for(mixed: VoiceLibrary) -> None:
    rows = mixed.select()
    assert [voice.id for voice in mixed.at([rows[2], 99, rows[0], rows[2]])] == ["c", "a", "c"]


def test_embeddings_come_in_batches_with_the_rows_they_belong_to(mixed: VoiceLibrary) -> None:
    batches = list(mixed.embeddings(batch=3))
    assert [len(rows) for rows, _ in batches] == [3, 1]
    for rows, vectors in batches:
        assert vectors.dtype == np.float32 and vectors.shape == (len(rows), mixed.dim)
        for voice, vector in zip(mixed.at(rows), vectors, strict=True):
            assert Bands().encode(voice.clip) @ vector > 0.9999
    later = np.concatenate([rows for rows, _ in mixed.embeddings(after=int(batches[0][0][-1]))])
    assert list(later) == list(batches[1][0])


def test_iteration_pages_through_a_large_library(tmp_path: Path) -> None:
    library = VoiceLibrary.create(tmp_path)
    card = PreparedVoice.of(tone(), id="x", name="X", description="").card
    content = tone().to_bytes("flac")
    ids = [f"voice-{number}" for number in range(1_203)]
    library.store([PreparedVoice(card.model_copy(update={"id": id}), content) for id in ids])
    assert [voice.id for voice in library] == ids and len(library) == len(library.select()) == len(ids)
    with pytest.raises(VoiceNotFound, match="did you mean 'voice-1"):
        library.get("voise-11")
    with pytest.raises(VoiceNotFound, match="1203 voices are named 'x'; use an id: voice-0, "):
        library.get("x")


def test_one_refused_voice_does_not_keep_the_others_out(mixed: VoiceLibrary) -> None:
    prepared = [
        PreparedVoice.of(tone(700), encoder=mixed.encoder, id=id, name="N", description="")
        for id in ("e", "a", "f", "f")
    ]
    outcomes = mixed.store(prepared)
    assert [isinstance(outcome, VoiceError) for outcome in outcomes] == [False, True, False, True]
    assert [voice.id for voice in mixed] == ["a", "b", "c", "d", "e", "f"]


def test_encoders_do_not_mix(mixed: VoiceLibrary, tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="embedded by 'bands-32', not 'bands-16'"):
        VoiceLibrary(mixed.folder, encoder=Bands(16)).add(tone(), id="e", name="E", description="")
    with pytest.raises(VoiceError, match="embedded by 'bands-32'; open it with that encoder"):
        VoiceLibrary(mixed.folder).add(tone(), id="e", name="E", description="")
    VoiceLibrary.create(tmp_path / "bare").add(tone(), id="e", name="E", description="")
    with pytest.raises(VoiceError, match="not embedded; run `voices reindex`"):
        VoiceLibrary(tmp_path / "bare", encoder=Bands()).add(tone(), id="f", name="F", description="")


class Picky(Bands):
    """An encoder that refuses low voices."""

    def encode(self, audio: Audio) -> np.ndarray[Any, np.dtype[np.float32]]:
        vector = super().encode(audio)
        if vector[:2].sum() > 0.5:
            raise VoiceError("too low")
        return vector


def test_a_library_migrates_to_another_encoder(mixed: VoiceLibrary) -> None:
    index = mixed.folder / "index"
    index.mkdir()
    (index / "speakers.faiss").write_bytes(b"old")
    progress: list[tuple[int, int]] = []
    refused = reindex(mixed, Picky(16), on_progress=lambda done, total: progress.append((done, total)))
    assert refused == {"a": "too low"} and progress == [(4, 4)]
    assert (mixed.encoder_name, mixed.dim) == ("bands-16", 16) and not index.exists()
    assert "".join(voice.id for voice in mixed.at(mixed.select(embedded=True))) == "bcd"
    assert [vectors.shape for _, vectors in mixed.embeddings()] == [(3, 16)]
    with pytest.raises(VoiceError, match="opened without an encoder"):
        reindex(VoiceLibrary(mixed.folder))


def test_reindexing_embeds_a_library_that_had_no_encoder(library: VoiceLibrary) -> None:
    assert library.encoder_name is None and library.dim == 0 and list(library.embeddings()) == []
    assert reindex(library, Bands()) == {}
    assert len(library.select(embedded=True)) == len(library) and check(library) == []


@settings(max_examples=share(30))
@given(name=st.text(min_size=1, max_size=100), description=st.text(max_size=300), tag=st.text(max_size=20))
def test_a_card_of_any_text_is_kept_or_refused(
    name: str, description: str, tag: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-text"
    library = VoiceLibrary.open_or_create(folder)
    try:
        library.add(tone(), id="any", name=name, description=description, tags=(tag,))
    except VoiceError:
        assert len(library) == 0
        return
    card = VoiceLibrary(folder).get("any").card
    assert card.name == unicodedata.normalize("NFC", name) and card.tags == (unicodedata.normalize("NFC", tag),)
    assert library.at(library.select(tags=[card.tags[0]]))[0].card == card
    library.remove("any")


def test_texts_are_composed_and_names_found_in_any_case(library: VoiceLibrary) -> None:
    consent = Consent(basis="speaker", holder="Zoe\u0308", scope=("synthesis",))
    library.add(tone(), id="zoe", name="Zoe\u0308 ÖZ", description="x" * 10_000, consent=consent)
    card = library.get("zoë öz").card
    assert card.name == "Zoë ÖZ" and card.consent is not None and card.consent.holder == "Zoë"
    with pytest.raises(VoiceError, match="description: String should have at most 10000"):
        library.add(tone(), id="long", name="Long", description="x" * 10_001)
    with pytest.raises(VoiceError, match="name"):
        VoiceCard.checked("the card", {"id": "a", "name": "\ud800"})
