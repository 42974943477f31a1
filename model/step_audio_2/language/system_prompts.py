"""The default system message of Step-Audio 2, in Chinese or English, with the date."""

from __future__ import annotations

from datetime import date

from agentaudio.conversation import Conversation, Message, TextPart
from agentaudio.model.step_audio_2.language.dialect import Language

_WEEKDAYS_ZH = "一二三四五六日"
_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS_EN = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "self": "你是一位亲切的语音助手，听得懂用户的话和语气，用自然、简短的口语回答。",
        "tools": "你可以调用系统提供的工具；请根据用户的需要和对话内容，自己判断是否调用、调用哪一个。",
        "answer": "请用中文回答。",
        "think": "回答之前，请先深入思考用户说了什么、是怎么说的，以及怎样回答最合适。",
    },
    "en": {
        "self": "You are a friendly voice assistant. You hear what the user says and how it is said, "
        "and answer briefly, the way people talk.",
        "tools": "You can call the tools that the system offers; judge from the conversation whether to call one, "
        "and which.",
        "answer": "Answer in English.",
        "think": "Before you answer, think deeply about what the user said, how it was said, "
        "and what answer serves them best.",
    },
}


def today_line(language: Language, today: date | None = None) -> str:
    """The date as a sentence, whatever the process's locale. today: None for the local date"""
    day = today or date.today()
    if language == "zh":
        return f"今天是{day.year}年{day.month}月{day.day}日，星期{_WEEKDAYS_ZH[day.weekday()]}。"
    return f"Today is {_WEEKDAYS_EN[day.weekday()]}, {_MONTHS_EN[day.month - 1]} {day.day}, {day.year}."


def system_prompt(
    language: Language = "zh",
    *,
    instructions: str | None = None,
    tools: bool = False,
    think: bool = False,
    names_language: bool = False,
    today: date | None = None,
) -> str:
    """The system message: who the model is, what it may do, and the date in the last line.

    A prompt that begins differently cannot reuse the prefix cache, so the date costs one new reading
    a day.

    instructions: replace the default description of the model
    tools: whether the agent has tools
    think: for mini-Think, which reasons before it speaks
    names_language: it says which language to answer in
    today: None for the local date
    """
    words = _WORDS[language]
    lines = [words["self"] if instructions is None else instructions.strip()]
    lines += [words["tools"]] if tools else []
    lines += [words["think"]] if think else []
    lines += [words["answer"]] if names_language else []
    return "\n".join(line for line in (*lines, today_line(language, today)) if line)


def with_system(
    conversation: Conversation, language: Language, *, tools: bool, think: bool, names_language: bool
) -> Conversation:
    """The conversation with the system message in front: its own one, completed, or the default.

    tools: whether the agent has tools; calls in the conversation count as well
    think, names_language: as in `system_prompt`
    """
    messages = list(conversation)
    instructions = messages.pop(0).text if messages and messages[0].role == "system" else None
    tools = tools or any(message.tool_calls for message in messages)
    system = system_prompt(language, instructions=instructions, tools=tools, think=think, names_language=names_language)
    return Conversation([Message("system", (TextPart(system),)), *messages])
