"""Chunks of any content become deltas or one clear error."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.step_audio_2 import CharacterVocabulary

from agentaudio.errors import BackendError
from agentaudio.model.speech_lm import End
from agentaudio.model.step_audio_2.language.dialect import step_audio_2
from agentaudio.model.step_audio_2.served.answer import ServedAnswer

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 160_000), st.floats(allow_nan=False),
    st.sampled_from(["", "Hi", "<audio_1", "2><tts_end>", "<tool_call>", "stop", "length", "AAAA", "é"]),
)  # fmt: skip
ANY = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4), max_leaves=6)
PART = st.fixed_dictionaries(
    {},
    optional={
        "content": ANY,
        "tts_content": st.one_of(ANY, st.fixed_dictionaries({}, optional={"tts_text": ANY, "tts_audio": ANY})),
        "tool_calls": ANY,
        "audio": st.one_of(ANY, st.fixed_dictionaries({"data": LEAVES})),
    },
)
CHOICE = st.one_of(
    ANY,
    st.fixed_dictionaries(
        {}, optional={"delta": st.one_of(ANY, PART), "message": PART, "token_ids": ANY, "finish_reason": ANY}
    ),
)
CHUNK = st.fixed_dictionaries(
    {}, optional={"choices": st.one_of(ANY, st.lists(CHOICE, max_size=3)), "usage": ANY, "prompt_token_ids": ANY}
)


@given(st.lists(CHUNK, max_size=5), st.booleans(), st.booleans())
def test_any_chunks_are_read_or_refused(chunks: list[dict[str, Any]], exact: bool, speaks: bool) -> None:
    vocabulary = CharacterVocabulary() if exact else None
    translation = step_audio_2("en").bind([])
    answer = ServedAnswer("served", vocabulary, "speech" if speaks else "text", translation, (" stop",))
    try:
        for chunk in chunks:
            answer.push(chunk)
        deltas = answer.finish()
    except BackendError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(deltas[-1], End)
