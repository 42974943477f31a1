"""What the words heard before a pause say about the turn."""

from __future__ import annotations

import pytest

from agentaudio.live.words import asks_to_dictate, completeness, is_back_channel, is_noise

GOES_ON = (
    "I'd like to fly to.", "Can you tell me the", "We left early because", "The thing is, um...", "My brother and",
    "Please forward it to my", "I was looking for.", "It depends on whether", "They should probably", "Well,",
    "Let me think.", "Between five and", "A taxi costs about", "I need a really", "Do you have any", "If you could",
    "I'll take the soup with.", "You can reach me at.", "Hi, I'm calling about", "One of the", "Could you please",
    "I would like to", "How much does", "What I want is", "The weather in", "My phone number is", "She said that",
    "Because", "Not only the blue one but", "Is there a", "Can you show me", "There are", "When you have time,",
    "I wonder if", "Play the song from", "Our flight from Rome to", "Either on Monday or", "Then I", "Uh", "Hmm,",
    "我想订一张", "因为", "请帮我打电话给", "我的", "明天我想去", "还有", "我觉得", "如果明天下雨，", "从北京到",
    "那个，", "我要一杯", "你能不能",
)  # fmt: skip

WHOLE = (
    "Where did you come from?", "What are you looking for?", "Turn the lights on.", "That's all I need.",
    "What is it about?", "I live in Norway.", "Switch it off.", "Set a timer for ten minutes.", "Thank you very much.",
    "Who was it with?", "Can you help me?", "I want that.", "Yes, it is.", "No, we are not.", "It's my own.",
    "Send it to Peter.", "The second one.", "I have two.", "Call my mother.", "How old are you?", "Stop!",
    "That is exactly what I want.", "Is it going to rain?", "Of course I would.", "My name is Ana.", "Log me in.",
    "It's half past eight.", "Never mind.", "He is my brother.", "I gave it to her.", "Let's go on.",
    "今天天气怎么样？", "好的。", "是的。", "明天下午三点。", "这个多少钱？", "谢谢你。", "我想去上海。", "可以的。",
    "没关系。", "请把灯打开。", "他是我的哥哥。",
)  # fmt: skip

DICTATED = (
    "Zero four one.", "It is seven, three, three", "0 7 9 4", "079 4", "double two six", "M, E, R", "A-N-N-A.",
    "My number is five five", "four one nine oh", "二 三 五", "一三八", "B as in Bravo, K", "anna at example dot",
)  # fmt: skip

ORDINARY = ("I was born in 1984.", "It costs 20 dollars.", "We are two.", "Come at seven.", "I have one.", "Plan B.")


@pytest.mark.parametrize("text", GOES_ON)
def test_an_utterance_that_wants_more_is_open(text: str) -> None:
    assert completeness(text) == "open"


@pytest.mark.parametrize("text", WHOLE)
def test_a_whole_utterance_is_not_waited_for(text: str) -> None:
    assert completeness(text) == "complete"


@pytest.mark.parametrize("text", DICTATED)
def test_digits_and_letters_one_by_one_are_dictated(text: str) -> None:
    assert completeness(text) == "dictated"


@pytest.mark.parametrize("text", ORDINARY)
def test_a_number_at_the_end_of_a_sentence_is_not_dictated(text: str) -> None:
    assert completeness(text) == "complete"


def test_while_something_is_dictated_all_but_a_question_is() -> None:
    assert completeness("Baker Street", dictating=True) == "dictated"
    assert completeness("Do you need the whole number?", dictating=True) == "complete"


@pytest.mark.parametrize(
    "text",
    (
        "Sure. What is your phone number?", "How do you spell your surname?", "Please tell me your e-mail address.",
        "Could I have the order number, please?", "I need your postcode.", "Thank you. Which number should I call?",
        "请问您的手机号码是多少？", "请告诉我您的邮箱地址。", "您的名字怎么写？",
    ),
)  # fmt: skip
def test_a_question_for_a_number_or_a_spelling_asks_to_dictate(text: str) -> None:
    assert asks_to_dictate(text)


@pytest.mark.parametrize(
    "text",
    (
        "Shall I send it to your address?", "The number of bees is growing.", "What is your phone number? I see it.",
        "Do you want to change it?", "That was a difficult code.", "已经发到您的邮箱了。",
    ),
)  # fmt: skip
def test_an_address_or_a_number_that_is_only_mentioned_does_not(text: str) -> None:
    assert not asks_to_dictate(text)


@pytest.mark.parametrize(
    "text", ("Mm-hmm.", "Yeah, yeah.", "I see.", "Oh, okay.", "Right", "Uh huh", "", "(coughs)", "嗯。", "是的。")
)
def test_words_of_a_listener_are_back_channels(text: str) -> None:
    assert is_back_channel(text)


@pytest.mark.parametrize(
    "text",
    ("Stop.", "Okay, stop.", "Yes, but why?", "What?", "Hold on.", "Right, and the other one?", "等一下。", "停。"),
)
def test_words_that_ask_for_something_are_none(text: str) -> None:
    assert not is_back_channel(text)


@pytest.mark.parametrize("text", ("", " ", "...", "[Music]", "(door slams)", "♪ la la ♪", "*coughing*"))
def test_sounds_without_words_are_noise(text: str) -> None:
    assert is_noise(text)


@pytest.mark.parametrize("text", ("No.", "Hm.", "Thank you.", "好。", "I (think) so"))
def test_words_are_not_noise(text: str) -> None:
    assert not is_noise(text)


@pytest.mark.parametrize("said", ["You.", "Thank you.", "Thanks for watching.", "you"])
def test_words_that_recognisers_often_invent_count_when_they_were_heard(said: str) -> None:
    assert not is_noise(said)
