"""Whether a transcript says the sentence by which a voice is lent."""

from __future__ import annotations

import pytest

from agentaudio.voice_library.consent_sentence import SENTENCES, language_of, problem_with


@pytest.mark.parametrize("language", list(SENTENCES))
def test_the_sentence_itself_is_accepted(language: str) -> None:
    sentence = SENTENCES[language]
    assert problem_with(sentence, language) is None
    assert problem_with(sentence.upper().replace(".", "").replace(",", ""), language) is None


@pytest.mark.parametrize(
    ("heard", "language"),
    [
        ("this is my own voice i agree that a computer may speak in it", "en"),
        ("This is my own voice. I agree that the computer may speak in.", "en"),
        ("Okay, this is my voice. I agree that a computer may speak in it.", "en"),
        ("这是我自己的声音。我同意让计算机用他来说话", "zh"),
        ("这是我自己的声音 我同意让電算机用它来说话", "zh"),
        ("Das ist meine eigene Stimme, ich stimme zu, dass ein Komputer in ihr sprechen darf", "de"),
        ("C’est ma propre voix, j’accepte qu’un ordinateur parle avec elle", "fr"),
    ],
)
def test_a_few_words_may_be_heard_wrongly(heard: str, language: str) -> None:
    assert problem_with(heard, language) is None


@pytest.mark.parametrize(
    ("heard", "language", "problem"),
    [
        ("", "en", "no words"),
        ("...", "zh", "no words"),
        ("This is my own voice. I do not agree that a computer may speak in it.", "en", "says 'not'"),
        ("This is my own voice. I don't agree that a computer may speak in it.", "en", "says 'dont'"),
        ("This isn't my own voice. I agree that a computer may speak in it.", "en", "says 'isnt'"),
        ("This is my own voice. I agree that nobody may speak in it.", "en", "says 'nobody'"),
        ("This is my own voice. I think that a computer may speak in it.", "en", "'agree' was not heard"),
        ("This is my own voice. I agree.", "en", "other words"),
        ("My voice, agree, and then the weather was fine on the whole coast.", "en", "other words"),
        ("I agree that my voice " + "and so on " * 50, "en", "other words"),
        ("这是我自己的声音，我不同意让计算机用它来说话。", "zh", "says '不'"),
        ("这是我自己的声音，让计算机用它来说话。", "zh", "'同'"),
        (SENTENCES["en"], "zh", "was not heard"),
        ("Das ist nicht meine eigene Stimme. Ich stimme zu, dass ein Computer in ihr sprechen darf.", "de", "'nicht'"),
        ("Esta no es mi propia voz. Acepto que un ordenador hable con ella.", "es", "'no'"),
    ],
)
def test_other_words_and_a_refusal_are_not_the_sentence(heard: str, language: str, problem: str) -> None:
    found = problem_with(heard, language)
    assert found is not None and problem in found


@pytest.mark.parametrize(
    ("tag", "language"), [("en-GB", "en"), ("EN", "en"), ("zh_Hans", "zh"), ("zh-CN", "zh"), ("ja", None), ("", None)]
)
def test_tags_name_a_language(tag: str, language: str | None) -> None:
    assert language_of(tag) == language
