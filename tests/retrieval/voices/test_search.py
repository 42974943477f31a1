"""Voice search."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.examples import share
from support.sounds import tone
from support.voices import Bands, in_another_process

from agentaudio.errors import RetrievalError, VoiceError
from agentaudio.resources import open_voices
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.retrieval.voices import indexes
from agentaudio.retrieval.voices.query import asks_for_default, asks_for_talker, read_wish
from agentaudio.retrieval.voices.search import VoiceMatch, VoiceSearch
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.voice import Consent

FREE = Consent(basis="synthetic", holder="nobody", scope=("synthesis",))


def ids(found: list[VoiceMatch]) -> list[str]:
    return [match.voice.id for match in found]


def add(library: VoiceLibrary, id: str, hz: float, description: str, **fields: Any) -> None:
    given: dict[str, Any] = {"licence": "CC0-1.0", "consent": FREE, "language": "en", "name": id.capitalize()} | fields
    library.add(tone(hz, 2), id=id, description=description, **given)


@pytest.fixture
def toned(tmp_path: Path) -> VoiceLibrary:
    """Voices that are tones, two of them nearly the same."""
    library = VoiceLibrary.create(tmp_path / "tones", encoder=Bands())
    add(library, "low", 110, "A deep old man.", gender="male", age="old")
    add(library, "twin", 111, "A deep old man, once more.", gender="male", age="old")
    add(library, "middle", 300, "A woman with a warm voice.", gender="female", age="adult", tags=("warm",))
    add(library, "top", 700, "A shrill little boy.", gender="male", age="child", language="en-GB", accent="Scottish")
    return library


@pytest.fixture(scope="module")
def demo() -> VoiceSearch:
    return open_voices("demo")


@pytest.fixture(scope="module")
def demo_words() -> VoiceSearch:
    return VoiceSearch(demo_voices())


class Counted:
    """An embedder that counts what it was given: a text's vector tells which of a few words it holds."""

    name = "counted"

    def __init__(self) -> None:
        self.texts = 0

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += len(texts)
        rows = np.array([[0.1, *(word in text.lower() for word in ("old", "warm", "shrill"))] for text in texts])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize(
    ("query", "voice"),
    [
        ("a calm old man", "walter"),
        ("grandpa", "walter"),
        ("somebody young and cheerful", "ruby"),
        ("a woman", "ruby"),
        ("a robot", "robot"),
        ("Zed", "robot"),
        ("the voice of Ruby please", "ruby"),
        ("低沉的老爷爷", "walter"),
        ("开朗的年轻女声", "ruby"),
        ("机器人的声音", "robot"),
    ],
)
def test_descriptions_and_names_find_their_voice(voices: VoiceSearch, query: str, voice: str) -> None:
    assert ids(voices.search(query))[0] == voice


@pytest.mark.parametrize(
    "query", ["a refrigerator door", "", "  ", "an italian woman", "whispering", "xyzzy", "四川话男声", "冰箱门",
              "a young old man", "???"],
)  # fmt: skip
def test_a_search_may_find_no_fitting_voice(voices: VoiceSearch, query: str) -> None:
    assert voices.search(query) == []


@pytest.mark.parametrize(
    "query",
    ["default", "your own voice", "go back to your normal voice", "the default voice", "默认女音色", "Reset.",
     "用你自己的声音", "换回原来的声音"],
)  # fmt: skip
def test_the_default_voice_is_recognised_in_any_wording(query: str) -> None:
    assert asks_for_default(query) and not asks_for_talker(query)


@pytest.mark.parametrize("query", ["a calm old man", "a young voice", "an original character", "my own voice"])
def test_other_wishes_are_not_the_default(query: str) -> None:
    assert not asks_for_default(query)


@pytest.mark.parametrize(
    "query", ["my own voice", "the voice of the person who is talking now", "like me", "用我的声音", "像我一样"]
)
def test_the_talker_is_recognised_in_any_wording(query: str) -> None:
    assert asks_for_talker(query)


@pytest.mark.parametrize("query", ["a calm old man", "my grandmother's voice", "give me a deep voice", "给我一个女声"])
def test_other_wishes_are_not_the_talker(query: str) -> None:
    assert not asks_for_talker(query)


@pytest.mark.parametrize(
    ("query", "attributes"),
    [
        ("温柔的年轻女声", [{"female"}, {"young"}]),
        ("四川话男声", [{"male"}, {"sichuan"}]),
        ("小女孩", [{"female"}, {"child"}]),
        ("a six year old from Rome", [{"child"}, {"italian"}]),
        ("a girl", [{"female"}, {"child", "young"}]),
        ("a Latin American Englishman", [{"male"}, {"latin american"}, {"british"}]),
        ("a woman, not old", [{"female"}]),
    ],
)
def test_a_wish_names_attributes_in_both_languages(query: str, attributes: list[set[str]]) -> None:
    assert {frozenset(group) for group in attributes} == set(read_wish(query).attributes)


@given(st.text(max_size=60))
def test_any_text_can_be_a_wish(text: str) -> None:
    wish = read_wish(text)
    assert all(group for group in wish.attributes)


@settings(max_examples=share(30))
@given(query=st.text(max_size=40))
def test_any_text_can_be_asked_of_the_demo_library(demo_words: VoiceSearch, query: str) -> None:
    assert all(0 <= match.score <= 1 for match in demo_words.search(query))


@pytest.mark.parametrize(
    ("query", "voice"),
    [
        ("a calm old man", "albert"),
        ("a little girl", "lily"),
        ("an italian woman", "gina"),
        ("a scottish man", "angus"),
        ("a german woman", "greta"),
        ("a russian man", "boris"),
        ("沙哑的老水手", "barnaby"),
    ],
)
def test_the_demo_library_has_the_voice_first(demo: VoiceSearch, query: str, voice: str) -> None:
    assert ids(demo.search(query))[0] == voice


def test_attributes_filter_before_the_ranking(toned: VoiceLibrary) -> None:
    search = VoiceSearch(toned)
    assert ids(search.search(gender="male", diverse=False)) == ["low", "twin", "top"]
    assert ids(search.search(gender="male", age=["child", "adult"])) == ["top"]
    assert ids(search.search(language="en-GB", accent="scottish")) == ["top"]
    assert ids(search.search(tags=["warm"])) == ["middle"]
    assert ids(search.search("a deep voice", gender="male", exclude=["low"])) == ["twin"]
    assert search.search("a deep old man", gender="female") == []
    assert ids(search.search("an old man", k=1, exclude=[toned.get("low")])) == ["twin"]
    add(toned, "v9", 820, "An old man.", gender="male", age="old", name="Zoë Long")
    assert "v9" not in ids(search.search("an old man", k=9, exclude=["zoe long"]))


def test_a_card_without_attributes_is_found_by_what_it_says(toned: VoiceLibrary) -> None:
    add(toned, "plain", 500, "An elderly Italian lady who murmurs.", language="und")
    assert ids(VoiceSearch(toned).search("a whispering old woman from Italy")) == ["plain"]


def test_a_clip_finds_the_voice_that_sounds_like_it(toned: VoiceLibrary) -> None:
    search = VoiceSearch(toned)
    found = search.search(clip=tone(302, 2), min_score=0.0)
    assert ids(found)[0] == "middle" and found[0].signals["speaker"] > 0.95 and "sounds alike" in found[0].reason
    assert ids(search.search(clip=Bands().encode(tone(302, 2)))) == ["middle"]
    assert set(ids(search.search("a deep man", tone(111, 2), k=5, diverse=False))) == {"low", "twin"}
    assert ids(search.search(clip=tone(111, 2), gender="female", min_score=0.0)) == ["middle"]


def test_an_unknown_speaker_matches_no_voice(toned: VoiceLibrary) -> None:
    assert VoiceSearch(toned).search(clip=tone(950, 2)) == []


def test_of_voices_that_sound_alike_one_is_given(toned: VoiceLibrary) -> None:
    search = VoiceSearch(toned)
    assert ids(search.search("an old man")) == ["low"]
    assert ids(search.search("an old man", diverse=False)) == ["low", "twin"]
    assert ids(search.search(clip=tone(110, 2), diverse=False)) == ["low", "twin"]


def test_matches_say_why(toned: VoiceLibrary) -> None:
    (match,) = VoiceSearch(toned).search("a shrill boy")
    assert match.reason == "is child, male; its card says high"
    assert match.signals["words"] == 1.0 and match.score == match.signals["text"] > 0.9
    (named,) = VoiceSearch(toned).search("middle")
    assert named.reason.startswith("is called Middle") and named.signals["name"] == named.score == 1.0
    both = VoiceSearch(toned, embed=Counted()).search("an old man")[0]
    assert set(both.signals) == {"words", "meaning", "text"} and 0 < both.score <= 1


def test_changes_of_the_library_are_seen_without_reopening(toned: VoiceLibrary) -> None:
    embed = Counted()
    search = VoiceSearch(toned, embed=embed)
    assert ids(search.search("a deep old man")) == ["low"]
    before = embed.texts
    add(toned, "granny", 440, "A kind grandmother.", gender="female", age="old")
    assert ids(search.search("a kind old woman")) == ["granny"]
    assert embed.texts == before + 2  # the new card and the question, nothing anew
    assert ids(search.search(clip=tone(440, 2))) == ["granny"]
    code = "import sys; from agentaudio import VoiceLibrary; VoiceLibrary(sys.argv[1]).revoke('granny')"
    process = in_another_process(code, toned.folder)
    assert process.wait(60) == 0, process.stderr
    process.communicate()
    assert search.search("a kind old woman") == [] and search.search(clip=tone(440, 2)) == []
    toned.remove("low")
    assert ids(search.search("a deep old man")) == ["twin"]


def test_a_voice_whose_consent_is_over_is_not_found(toned: VoiceLibrary) -> None:
    over = FREE.model_copy(update={"until": date.today() - timedelta(days=1)})
    add(toned, "past", 900, "A stern robot.", consent=over)
    add(toned, "bare", 950, "A stern robot.", consent=None)
    search = VoiceSearch(toned)
    assert search.search("a stern robot") == [] and search.search(clip=tone(900, 2)) == []
    assert set(ids(search.search())) <= {"low", "middle", "top"}


def test_what_cannot_be_compared_is_refused(toned: VoiceLibrary, library: VoiceLibrary) -> None:
    with pytest.raises(RetrievalError, match="width 32"):
        VoiceSearch(toned).search(clip=np.ones(5, np.float32))
    with pytest.raises(RetrievalError, match="embedded by 'bands-32', the search by 'bands-16'"):
        VoiceSearch(toned, encoder=Bands(16)).search(clip=tone(100, 2))
    with pytest.raises(RetrievalError, match="give VoiceSearch an encoder"):
        VoiceSearch(library).search(clip=tone(100, 2))
    with pytest.raises(RetrievalError, match="no speaker embeddings|of width 0"):
        VoiceSearch(library).search(clip=np.ones(5, np.float32))
    assert VoiceSearch(toned).search("an old man", k=0) == []


def test_what_was_embedded_is_kept_in_the_library(toned: VoiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "SAVED_FROM", 4)
    VoiceSearch(toned, embed=Counted()).prepare()
    assert json.loads((toned.folder / "index" / "descriptions.json").read_text())["about"] == {"embedder": "counted"}
    embed = Counted()
    again = VoiceSearch(VoiceLibrary(toned.folder), embed=embed)
    assert ids(again.search("a deep old man")) == ["low"]
    assert embed.texts == 2  # its width, and the question
    toned.revoke("top")
    assert not (toned.folder / "index").exists()
    before = embed.texts
    monkeypatch.setattr(indexes, "SAVED_FROM", 3)
    assert ids(again.search("a warm woman")) == ["middle"]
    assert embed.texts == before + 1  # the question
    kept = FaissIndex.open(toned.folder / "index" / "descriptions.json", 4)
    assert kept is not None and len(kept[0]) == 3


def test_a_library_that_cannot_be_written_is_searched_all_the_same(
    toned: VoiceLibrary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(indexes, "SAVED_FROM", 1)
    (toned.folder / "index").write_text("a file is in the way")
    with caplog.at_level(logging.WARNING):
        assert ids(VoiceSearch(toned, embed=Counted()).search("a warm woman")) == ["middle"]
    assert "cannot write the index" in caplog.text


def test_a_large_library_is_searched_by_an_index_on_the_disk(
    toned: VoiceLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("voices.indexes", "vectors.faiss_index"):
        monkeypatch.setattr(f"agentaudio.retrieval.{module}.EXACT_UP_TO", 2)
    search = VoiceSearch(toned)
    assert set(ids(search.search(clip=tone(111, 2), diverse=False))) == {"low", "twin"}
    kept = toned.folder / "index" / "speakers.json"
    assert json.loads(kept.read_text())["about"] == {"encoder": "bands-32"}
    add(toned, "late", 440, "Somebody who came later.")
    again = VoiceSearch(VoiceLibrary(toned.folder), encoder=Bands())
    assert ids(again.search(clip=tone(440, 2))) == ["late"] and ids(again.search(clip=tone(300, 2))) == ["middle"]
    toned.revoke("late")
    assert not kept.exists() and again.search(clip=tone(440, 2)) == []
    for thread in threading.enumerate():
        if thread.name == "index-compaction":
            thread.join(30)
    reopened = FaissIndex.open(kept, 32)
    assert reopened is not None and len(reopened[0]) == 4 and toned.select(embedded=True).tolist() == [1, 2, 3, 4]


def test_a_search_describes_its_index(toned: VoiceLibrary, library: VoiceLibrary) -> None:
    stats = VoiceSearch(toned).stats()
    assert (stats["vectors"], stats["index"], stats["recall_at_10"]) == (4, "Flat", 1.0)
    assert VoiceSearch(library).stats() == {}


def test_a_clip_without_speech_is_an_error_of_ours(demo_words: VoiceSearch) -> None:
    search = VoiceSearch(demo_words.library, encoder=EmbeddedSpeakerEncoder())
    with pytest.raises(VoiceError, match="silent"):
        search.search(clip=Audio(np.zeros(32_000), 16_000))


class Calibrated(Bands):
    def same_speaker_probability(self, cosine: float, next_cosine: float) -> float:
        return cosine if cosine - next_cosine > 0.1 else 0.0


def test_between_two_floors_the_nearest_voice_is_offered_with_its_probability(toned: VoiceLibrary) -> None:
    encoder = Calibrated()
    search = VoiceSearch(toned, encoder=encoder)
    one, other = encoder.encode(tone(300, 2)), encoder.encode(tone(950, 2))

    def mixed(share: float) -> NDArray[np.float32]:
        return np.asarray(share * one + (1 - share) * other, np.float32)

    assert search.search(clip=mixed(0.95))[0].reason.startswith("sounds alike")
    (match,) = search.search(clip=mixed(0.55))
    assert match.voice.id == "middle" and match.reason.startswith("may be the same speaker (")
    assert match.signals["same_speaker"] == pytest.approx(match.score, abs=0.001) and match.score < 0.95
    assert search.search(clip=mixed(0.55), min_score=0.95) == []
    assert search.search(clip=mixed(0.1)) == []
    assert VoiceSearch(toned).search(clip=mixed(0.55)) == []  # not calibrated


def test_two_recordings_of_the_same_person_do_not_make_each_other_doubtful(toned: VoiceLibrary) -> None:
    encoder = Calibrated()
    one, other = encoder.encode(tone(110, 2)), encoder.encode(tone(950, 2))
    found = VoiceSearch(toned, encoder=encoder).search(clip=np.asarray(0.55 * one + 0.45 * other, np.float32))
    assert ids(found) in (["low"], ["twin"])
