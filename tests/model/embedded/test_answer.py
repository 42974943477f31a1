import pytest

from agentaudio.conversation import Conversation, Passage, ToolCall, ToolOutput, ToolSpec
from agentaudio.model.embedded.answering.answer import answer
from agentaudio.model.embedded.answering.small_talk import not_understood, small_talk
from agentaudio.model.embedded.router_chat import RouterChat
from agentaudio.model.speech_lm import TextDelta
from agentaudio.text.apology import apology
from agentaudio.text.sentence_embedder import SentenceEmbedder

EMBED = SentenceEmbedder()
TOWER = Passage(
    "The Eiffel Tower is an iron tower in Paris. It was built in 1889 by the company of Gustave Eiffel. "
    "The tower is 330 meters tall. Millions of people go up every year.",
    "Eiffel Tower",
    "eiffel.md",
    120,
)
TEA = Passage("Tea is a drink made from leaves. China grows more tea than any other country.", "Tea", "tea.md")
TIMER = ToolSpec("set_timer", "Start a timer.", {})


def found(*passages: Passage) -> ToolOutput:
    return ToolOutput("1", "search_documents", "quoted", passages)


def test_the_sentence_with_the_fact_answers_and_is_cited() -> None:
    said = answer("how tall is the eiffel tower", [found(TEA, TOWER)], EMBED)
    assert "330 meters" in said.text and "Tea" not in said.text
    (citation,) = [item for item in said.citations if "330" in item.quote]
    assert (citation.title, citation.source) == ("Eiffel Tower", "eiffel.md")
    start = citation.position - TOWER.position
    assert TOWER.text[start : start + len(citation.quote)] == citation.quote


def test_a_sentence_that_leans_on_another_brings_it_along() -> None:
    said = answer("when was the eiffel tower built", [found(TOWER, TEA)], EMBED)
    assert said.text.startswith("The Eiffel Tower is an iron tower in Paris. It was built in 1889")


def test_an_introduction_is_the_opening_of_the_document() -> None:
    said = answer("please tell me about the eiffel tower", [found(TEA, TOWER)], EMBED)
    assert said.text.startswith("The Eiffel Tower is an iron tower")
    assert [citation.quote for citation in said.citations] == [said.text]  # neighbours share a citation


@pytest.mark.parametrize(
    "question", ["Tell me about honeybees.", "how do honeybees dance", "how many eyes does a honeybee have"]
)
def test_compounds_are_answered_however_they_are_written(question: str) -> None:
    bees = Passage(
        "Honey bees dance to tell other bees where flowers are. A honey bee has five eyes.", "Honey Bees", "bees.md"
    )
    said = answer(question, [found(TEA, bees)], EMBED)
    assert [citation.source for citation in said.citations] == ["bees.md"]
    assert answer("tell me about seahorses", [found(TEA, bees)], EMBED).citations == ()


def test_passages_that_do_not_fit_are_not_passed_off_as_an_answer() -> None:
    said = answer("who won the chess championship", [found(TOWER, TEA)], EMBED)
    assert said.text == "I found nothing about that in my documents."
    assert said.citations == ()


def test_the_text_of_a_tool_is_repeated() -> None:
    hours = ToolOutput("1", "opening_hours", "The toy museum is open from nine until five.")
    assert answer("when is it open", [hours], EMBED).text == "The toy museum is open from nine until five."
    clock = ToolOutput("1", "get_date_time", "It is Sunday, November 22, 2026, 14:05 in Paris.")
    assert answer("what time is it in paris", [clock], EMBED).text == "It is 14:05 in Paris."
    assert answer("what is the date", [clock], EMBED).text == "It is Sunday, November 22, 2026 in Paris."
    mapping = ToolOutput("1", "status", '{"wind_speed": 12, "sky": "clear"}')
    assert answer("how is it", [mapping], EMBED).text == "Wind speed: 12, sky: clear."


def test_a_failure_is_admitted() -> None:
    failed = ToolOutput("1", "get_date_time", "no time zone 'Mars'; did you mean 'Paris'?", is_error=True)
    assert answer("what time is it", [failed], EMBED).text == "I could not do that: no time zone 'Mars'."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("book_table failed: there is no table for nine", "I could not do that: there is no table for nine."),
        ("book_table failed: the connection failed", "I could not do that: the connection failed."),
        ("book_table failed unexpectedly (KeyError); say that it did not work.", apology("en")),
        ("book_table took longer than 20 s and was stopped.",
         "I could not do that: book table took longer than 20 s and was stopped."),
        ("book_table took longer than 20 s and was stopped; it may have taken effect.",
         "Book table took longer than 20 s and was stopped; it may have taken effect."),
        ("book_table has begun and goes on in the background. Its result comes by itself.",
         "Book table has begun and goes on in the background."),
        ("book_table took longer than 9 s and is still running; how it ends is not known yet.",
         "Book table took longer than 9 s and is still running; how it ends is not known yet."),
    ],
)  # fmt: skip
def test_the_listener_gets_a_reason_in_plain_words_or_an_apology(text: str, said: str) -> None:
    failed = ToolOutput("1", "book_table", text, is_error=True)
    assert answer("book a table", [failed], EMBED).text == said


@pytest.mark.parametrize(
    ("language", "said"),
    [("de", "Es tut mir leid"), ("zh", "对不起"), ("zh-Hant-TW", "對不起"), ("pt_BR", "Desculpe"), ("nb", "Beklager"),
     ("tlh", "I am sorry"), (None, "I am sorry")],
)  # fmt: skip
def test_the_apology_is_in_the_language_of_the_user(language: str | None, said: str) -> None:
    failed = ToolOutput("1", "look", "look failed unexpectedly (OSError); say that it did not work.", is_error=True)
    assert answer("?", [failed], EMBED, language=language).text.startswith(said)


async def test_a_failure_after_a_request_in_another_language_is_an_apology_in_it() -> None:
    talk = Conversation()
    talk.add("user", "quel temps fait-il à Lyon demain matin")
    talk.add("assistant", ToolCall("1", "get_weather", {"city": "Lyon"}))
    talk.add("tool", ToolOutput("1", "get_weather", "get_weather failed: the connection failed", is_error=True))
    deltas = [delta async for delta in RouterChat().chat(talk, tools=[TIMER])]
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert text == "Je suis désolé, cela n'a pas fonctionné."


def test_a_new_voice_is_announced_only_when_that_is_all() -> None:
    voice = ToolOutput("1", "audio_search", "The voice is now Arthur: An old man. Runners-up: Ben.")
    assert answer("speak like an old man", [voice], EMBED).text == "The voice is now Arthur."
    said = answer("how tall is the eiffel tower", [voice, found(TOWER)], EMBED)
    assert "Arthur" not in said.text and "330" in said.text


def test_not_understanding_says_what_was_heard_and_what_can_be_done() -> None:
    said = not_understood("feed the cat", [TIMER])
    assert "feed the cat" in said and "start a timer" in said
    assert not_understood("", []) == "I did not hear any words."


def test_small_talk_is_short() -> None:
    assert small_talk("thank you very much") == "You are welcome."
    assert small_talk("good morning") == "Good morning. What can I do for you?"
    assert "start a timer" in small_talk("what can you do", [TIMER])
