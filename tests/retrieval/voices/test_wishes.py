"""Names, negation and choice in requests for a voice."""

from __future__ import annotations

import pytest
from support.benchmark_modules import benchmark
from support.sounds import tone

from agentaudio.resources import open_voices
from agentaudio.retrieval.voices.names import names_said
from agentaudio.retrieval.voices.query import Wish, read_request
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.text.embedding import default_embedder
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent

FREE = Consent(basis="synthetic", holder="nobody", scope=("synthesis",))
CARDS = {
    "hope": ("Hope", "A stern man.", "male"), "bill": ("Bill", "A hoarse woman.", "female"),
    "an": ("an", "A shrill boy.", "male"), "grant": ("Grant", "A whispering woman.", "female"),
    "ada": ("Ada", "A calm woman.", "female"), "jolly": ("Jolly", "A sad, slow man.", "male"),
    "zoe": ("Zoë", "A young woman.", "female"), "lukasz": ("Łukasz", "A cheerful man.", "male"),
    "bei": ("小北", "年轻的女声", "female"), "ann": ("Mary Ann", "A deep woman.", "female"),
}  # fmt: skip


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> VoiceSearch:
    """Voices whose names are also words of other requests."""
    library = VoiceLibrary.create(tmp_path_factory.mktemp("named") / "library")
    for number, (id, (name, description, gender)) in enumerate(CARDS.items()):
        clip = tone(100 + 40 * number, 1.5)
        library.add(clip, id=id, name=name, description=description, gender=gender, licence="CC0-1.0", consent=FREE)
    return VoiceSearch(library, embed=default_embedder())


def found(search: VoiceSearch, query: str) -> list[str]:
    return [match.voice.id for match in search.search(query, k=10)]


@pytest.mark.parametrize(
    ("query", "id"),
    [
        ("Hope", "hope"), ("please use Bill", "bill"), ("switch to Grant now", "grant"), ("Jolly's voice", "jolly"),
        ("the voice of Mary Ann, please", "ann"), ("somebody called Hope", "hope"), ("a lady named Bill", "bill"),
        ("can you speak like Ada but faster", "ada"), ("zoe", "zoe"), ("ZOÉ please", "zoe"), ("Lukasz", "lukasz"),
        ("用小北的声音", "bei"), ("换成小北吧", "bei"), ("an", "an"), ("让Grant来说", "grant"),
    ],
)  # fmt: skip
def test_a_name_decides_alone_and_where_it_is_announced(named: VoiceSearch, query: str, id: str) -> None:
    assert found(named, query) == [id]


def test_what_is_not_wanted_ends_at_a_stop(named: VoiceSearch) -> None:
    for query in ("don't give me a man; deep and calm", "no men: deep or calm", "Not a man. Calm and deep"):
        assert not {"hope", "lukasz", "an", "jolly"} & set(found(named, query)), query
    for query in ("don't give me a man; calm", "no boys, children or men: calm", "No men! Calm and nice."):
        assert found(named, query)[:1] == ["ada"], query


@pytest.mark.parametrize(
    ("query", "id"),
    [
        ("a voice that gives me hope, a calm lady", "ada"), ("an old bill collector, hoarse", "bill"),
        ("a jolly man", "lukasz"), ("an elegant deep woman", "ann"), ("the voice of a calm woman", "ada"),
        ("grant me a cheerful man", "lukasz"),
    ],
)  # fmt: skip
def test_a_name_inside_a_description_is_a_word(named: VoiceSearch, query: str, id: str) -> None:
    assert found(named, query)[:1] == [id] or (id == "bill" and not found(named, query))
    assert not any("name" in match.signals for match in named.search(query))


def test_a_name_does_not_decide_against_a_stated_attribute(named: VoiceSearch) -> None:
    assert "hope" not in found(named, "a woman called Hope") and "bill" not in found(named, "a man named Bill")
    assert found(named, "a stern man called Hope") == ["hope"]


def test_a_name_can_be_unwanted(named: VoiceSearch) -> None:
    assert set(CARDS) - set(found(named, "anyone but Bill")) == {"bill"}
    assert set(CARDS) - set(found(named, "not Mary Ann or Grant again")) >= {"ann", "grant"}
    assert "zoe" not in found(named, "a woman, but not Zoe")


@pytest.mark.parametrize(
    ("query", "wanted", "unwanted"),
    [
        ("a man without a Welsh accent", {"male"}, [{"welsh"}]),
        ("no pirates, storytellers or butlers", set(), [{"sailor"}, {"story"}, {"butler"}]),
        ("she must not be a child or a teenager", {"female"}, [{"child"}, {"young"}]),
        ("nothing but a whisper", {"whisper"}, []),
        ("a no-nonsense woman", {"female", "serious"}, []),
        ("a lady, rather a warm than a stern one", {"female", "warm"}, [{"stern"}]),
        ("a voice without emotion", {"flat"}, []),
        ("I hate robots; give me a gentle man", {"male", "soft"}, [{"robot"}]),
        ("a non-Chinese speaker, please", set(), [{"chinese"}]),
        ("I dont mind, a lady", {"female"}, []),
        ("not only calm but also deep", {"calm", "deep"}, []),
        ("不太低沉的女声", {"female"}, [{"deep"}]),
        ("除了水手和管家，男声都可以", {"male"}, [{"sailor"}, {"butler"}]),
        ("别太快的男声", {"male"}, [{"fast"}]),
        ("声音不错，再慢一点", {"slow"}, []),
    ],
)  # fmt: skip
def test_what_is_negated_is_unwanted(query: str, wanted: set[str], unwanted: list[set[str]]) -> None:
    request = read_request(query)
    assert [traits(wish) for wish in request.alternatives] == [wanted]
    assert [traits(wish) for wish in request.excluded] == unwanted


@pytest.mark.parametrize(
    ("query", "alternatives"),
    [
        ("an old pirate or a young Irishman", [{"old", "sailor"}, {"young", "irish", "male"}]),
        ("a tender or husky lady", [{"soft", "female"}, {"husky", "female"}]),
        ("an old man or woman", [{"old", "male"}, {"old", "female"}]),
        ("a man or a woman with a Russian accent", [{"male", "russian"}, {"female", "russian"}]),
        ("a robot or a young woman", [{"robot"}, {"young", "female"}]),
        ("either a pirate or a butler", [{"sailor"}, {"butler"}]),
        ("a Dane, a Swede or a Norwegian lady", [{x, "female"} for x in ("danish", "swedish", "norwegian")]),
        ("a German lady, young or old", [{"german", "female", "young"}, {"german", "female", "old"}]),
        ("男的或者女的，要慢", [{"male", "slow"}, {"female", "slow"}]),
    ],
)  # fmt: skip
def test_of_a_choice_one_is_enough(query: str, alternatives: list[set[str]]) -> None:
    assert [traits(wish) for wish in read_request(query).alternatives] == alternatives


def test_a_match_says_what_it_is_not(named: VoiceSearch) -> None:
    match = named.search("a woman, but not a hoarse one")[0]
    assert match.reason == "is female; is not hoarse"
    assert named.search("anything but a whisper")[0].reason == "is not whisper"


def test_unknown_words_that_are_negated_find_nothing(named: VoiceSearch) -> None:
    assert found(named, "not a trombone") == []


def test_many_choices_take_bounded_time() -> None:
    request = read_request(", ".join(["a man or a woman", "old or young", "calm or deep"] * 20))
    assert len(request.alternatives) <= 8


def test_words_around_a_name_are_taken_off() -> None:
    assert names_said("Please speak in the voice of Ada Lovelace now.")[-1] == "=ada-lovelace"
    assert "=will" not in names_said("Will you speak up?")


def test_nine_of_ten_requests_with_negation_and_choice_are_answered_right() -> None:
    module = benchmark("voice_choices")
    wrong = module.wrong(open_voices("demo"))
    assert len(module.questions()) == 60 and len(wrong) <= 6, wrong


def traits(wish: Wish) -> set[str]:
    """The traits of a wish whose groups hold one trait each."""
    return {trait for group in wish.attributes for trait in group} | wish.manners
