"""The language of the prompts follows the user."""

from __future__ import annotations

import pytest

from agentaudio.conversation import Conversation, SpeechPart, ToolSpec
from agentaudio.model.step_audio_2.language.users_language import users_language
from agentaudio.sound.audio import Audio

SOUND = Audio.silence(1.0, 16_000)
CLOCK = ToolSpec("clock", "查询当前的日期和时间。", {"type": "object", "properties": {}})


def talk(*messages: tuple[str, object]) -> Conversation:
    conversation = Conversation()
    for role, part in messages:
        conversation.add(role, part)  # type: ignore[arg-type]
    return conversation


@pytest.mark.parametrize(
    ("conversation", "language"),
    [
        (talk(("user", "What is the weather in Lisbon?")), "en"),
        (talk(("user", "里斯本今天天气怎么样？")), "zh"),
        (talk(("user", "帮我查一下 iPhone 的价格")), "zh"),
        (talk(("user", "What does 你好 mean?")), "en"),
        (talk(("user", SOUND)), "en"),
        (talk(("user", SOUND), ("assistant", SpeechPart("现在是九点。"))), "zh"),
        (talk(("user", SOUND), ("assistant", SpeechPart("It is nine.")), ("user", SOUND)), "en"),
        (talk(("system", "你是博物馆的讲解员。"), ("user", SOUND)), "zh"),
        (talk(("system", "You guide through a museum."), ("user", "门票多少钱？")), "zh"),
        (talk(("user", "几点开门？"), ("assistant", SpeechPart("九点。")), ("user", "OK thanks")), "zh"),
    ],
)
def test_the_users_words_decide_then_the_answers_then_the_system_message(
    conversation: Conversation, language: str
) -> None:
    assert users_language(conversation) == language


def test_without_any_words_the_tools_decide() -> None:
    assert users_language(talk(("user", SOUND)), [CLOCK]) == "zh"


@pytest.mark.parametrize(
    ("asked", "language"), [("zh-CN", "zh"), ("yue", "zh"), ("ZH_tw", "zh"), ("en-GB", "en"), ("en", "en")]
)
def test_a_language_that_is_asked_for_comes_first(asked: str, language: str) -> None:
    assert users_language(talk(("user", "现在几点？ What time is it?")), language=asked) == language
