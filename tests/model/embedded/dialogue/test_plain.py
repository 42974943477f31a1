"""A request is read without its fillers, restarts, spelled words and circumlocution."""

from __future__ import annotations

import pytest

from agentaudio.model.embedded.dialogue.plain import plain


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("What's the weather in, no, actually what time is it in Paris?", "what time is it in paris"),
        ("Set a timer for ten, no, twelve minutes.", "set a timer for twelve minutes"),
        ("set a timer for ten no twelve minutes", "set a timer for twelve minutes"),
        ("A table for two, wait, three people at seven.", "a table for three people at seven"),
        ("How tall is the, sorry, how long is the Nile?", "how long is the nile"),
        ("turn on the light in the kit uh in the bathroom", "turn on the light in the bathroom"),
        ("play bach, no, mozart", "play mozart"),
        ("Set a timer for five minutes. No, wait, six.", "set a timer for six minutes"),
        ("What's 20 plus, um, 30?", "what is 20 plus 30"),
    ],
)
def test_what_was_taken_back_is_left_out(said: str, meant: str) -> None:
    assert plain(said) == meant


@pytest.mark.parametrize(
    "said",
    [
        "No, Boston.", "Sorry, what was that?", "um", "Wait, is it raining in Rome?", "Fifteen, not "
                                                                                      "fifty.", "no wait forget it",
        "My sister's in Cardiff, how is it there?", "how long do I have to wait in line", "play sorry by justin bieber",
        "am i a fool", "I'm in a hurry", "Thanks, no, that's all.", "No, no, turn it back on.",
    ],
)  # fmt: skip
def test_other_requests_stay_as_they_are(said: str) -> None:
    assert plain(said) == said


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("I was wondering if you could maybe tell me what time it is in Madrid.", "what time it is in Madrid."),
        ("And, if you don't mind, the weather there too.", "And the weather there too."),
        ("I'm not sure you'd know this, but who invented the telephone?", "who invented the telephone?"),
        ("Would you be so kind as to switch the lamp in the study off?", "switch the lamp in the study off?"),
        ("my grandson wants to know how many hearts an octopus has", "how many hearts an octopus has"),
        ("he also asks if it has bones", "tell me whether it has bones"),
        ("What's the weather in Cork, C O R K?", "What's the weather in Cork?"),
        ("what is the time in o s l o", "what is the time in oslo"),
        ("user refined british voice like a butler", "use a refined british voice like a butler"),
        ("the user of this voice", "the user of this voice"),
    ],
)
def test_courtesy_and_spelling_are_left_out(said: str, meant: str) -> None:
    assert plain(said) == meant
