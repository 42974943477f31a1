"""However words, sound and verdicts are interleaved, no sound leaves whose words were not approved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentaudio.model.speech_lm import AudioDelta, TextDelta
from agentaudio.sound.audio import Audio
from agentaudio.speech_gate import LONGEST_HELD, SpeechGate

PIECES = (
    "One",
    " two",
    ".",
    "! ",
    "  ",
    "\n\n",
    "说好。",
    " 3.5",
    " Dr.",
    " end. Begin",
    "word" * 50,
    " x" * 400,
    ".. ",
    '"',
)


def sound(number: int) -> AudioDelta:
    """A sound that can be told from the others by its length."""
    return AudioDelta(Audio.silence((number + 1) / 1_000, 16_000))


@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.none()), max_size=40),
    st.lists(st.sampled_from(["fine", "fine", "fine", "replaced", "emptied"]), min_size=80, max_size=80),
    st.booleans(),
)
def test_no_sound_leaves_before_the_words_before_it_are_approved(
    stream: list[str | None], verdicts: list[str], words_lead: bool
) -> None:
    gate, given_verdicts = SpeechGate(words_lead=words_lead), iter(verdicts)
    whole = ""  # the words given so far
    approved = 0  # characters of them with a verdict
    replaced_from: int | None = None
    begins: dict[float, int] = {}  # characters before each sound
    sentences: list[str] = []
    expected, out, left = "", "", list[float]()

    def judge(found: list[str]) -> None:
        nonlocal approved, replaced_from, expected
        for sentence in found:
            sentences.append(sentence)
            verdict = next(given_verdicts, "fine") if sentence.strip() else "fine"
            start = approved + len(sentence) - len(sentence.lstrip())
            said = {"fine": sentence, "replaced": "(other)", "emptied": ""}[verdict]
            expected += sentence if verdict == "fine" else sentence[: len(sentence) - len(sentence.lstrip())] + said
            if verdict != "fine" and replaced_from is None:
                replaced_from = start
            gate.approve(sentence, said)
            approved += len(sentence)

    def collect(finished: bool) -> None:
        nonlocal out
        for delta in gate.ready():
            if isinstance(delta, TextDelta):
                out += delta.text
            else:
                assert isinstance(delta, AudioDelta)
                length = delta.audio.duration
                before = begins[length]
                assert not whole[approved:before].strip()  # all words before it have a verdict
                assert finished or (words_lead and whole[:approved].strip())
                if replaced_from is not None:
                    assert words_lead and before <= replaced_from
                left.append(length)

    for number, piece in enumerate(stream):
        if piece is None:
            delta = sound(number)
            begins[delta.audio.duration] = len(whole)
            judge(gate.push(delta))
        else:
            whole += piece
            judge(gate.push(TextDelta(piece)))
        collect(False)
        assert len(whole) - approved <= LONGEST_HELD + max(map(len, PIECES))
    judge(gate.finish())
    collect(True)
    assert "".join(sentences) == whole and out == expected
    assert left == sorted(left)
    if replaced_from is None:
        assert left == list(begins)


def test_the_words_of_a_long_text_are_not_cut_in_the_middle() -> None:
    gate = SpeechGate(words_lead=True)
    found = [sentence for number in range(300) for sentence in gate.push(TextDelta(f" word{number}"))]
    assert found and all(one.split() == [word for word in one.split() if word.startswith("word")] for one in found)
    assert "".join([*found, *gate.finish()]) == "".join(f" word{number}" for number in range(300))


def test_sound_that_was_held_goes_when_the_gate_is_muted() -> None:
    gate = SpeechGate(words_lead=True)
    for delta in TextDelta("One."), sound(1), TextDelta(" Two"):
        for sentence in gate.push(delta):
            gate.approve(sentence, sentence)
    gate.mute()
    gate.push(sound(2))
    assert list(gate.ready()) == [TextDelta("One.")]
