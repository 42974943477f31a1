"""Answers in which special tokens are spelled out, cut anywhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentaudio.model.step_audio_2.served.spelling import ByteVocabulary, SpelledIds
from agentaudio.model.step_audio_2.tokens import PUBLISHED_IDS, SPECIAL_TOKENS, TokenIds

IDS = TokenIds()
PIECES = st.one_of(
    st.text(alphabet="a<>|_ü你🙂audio0", max_size=6),
    st.sampled_from(SPECIAL_TOKENS),
    st.integers(0, 9999).map(lambda code: f"<audio_{code}>"),
)


def test_tokens_are_found_among_text() -> None:
    reader = SpelledIds()
    ids = [*reader.feed("Hi<audio_12><tts_end><audio_6656><x>"), *reader.finish()]
    text = [number for number in ids if number < 256]
    assert bytes(text).decode() == "Hi<audio_6656><x>"
    assert [number for number in ids if number >= 256] == [IDS.audio_0 + 12, IDS.tts_end]


@given(st.lists(PIECES, max_size=12), st.lists(st.integers(0, 200), max_size=12))
def test_the_ids_do_not_depend_on_how_the_text_is_cut(pieces: list[str], cuts: list[int]) -> None:
    text = "".join(pieces)
    whole = SpelledIds()
    expected = [*whole.feed(text), *whole.finish()]
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    reader = SpelledIds()
    found = [number for a, b in zip(places, places[1:], strict=False) for number in reader.feed(text[a:b])]
    assert [*found, *reader.finish()] == expected
    names = {number: name for name, number in PUBLISHED_IDS.items()}
    spelled = b"".join(names[one].encode() if one in names else ByteVocabulary().token_bytes(one) for one in expected)
    assert spelled.decode() == text or "<audio_0" in text
