"""What stands around a conversation in a prompt: the system message, and the tools under the model's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentaudio.conversation import Conversation, ToolCall, ToolSpec
from agentaudio.errors import OptionError
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.model.step_audio_2.language.dialect import Dialect, Language, Translation, step_audio_2
from agentaudio.model.step_audio_2.language.system_prompts import with_system
from agentaudio.model.step_audio_2.language.users_language import users_language


@dataclass(frozen=True, slots=True)
class Framed:
    """A conversation as a prompt takes it.

    conversation: with its system message in front
    translation: of the tools, by `dialect`
    must_call: the model's name of the tool that the answer has to call, "" for any; None if it need not call
    """

    conversation: Conversation
    dialect: Dialect
    translation: Translation
    must_call: str | None = None


def framed(
    conversation: Conversation,
    tools: Sequence[ToolSpec],
    options: GenerateOptions,
    *,
    language: Language | None = None,
    think: bool = False,
    verbatim: bool = False,
) -> Framed:
    """Frame a conversation for an answer.

    language: of the system message and the tools; None for the user's, see `users_language`
    think: the model is mini-Think
    verbatim: without a default system message or date

    Raises OptionError where `options.must_call` names no tool, or there are none.
    """
    language = language or users_language(conversation, tools, language=options.language)
    dialect = step_audio_2(language)
    translation = dialect.translation(conversation, tools)
    if not verbatim:
        names_language = options.language is not None
        conversation = with_system(
            conversation, language, tools=bool(tools), think=think, names_language=names_language
        )
    return Framed(conversation, dialect, translation, _must_call(options, tools, translation))


def _must_call(options: GenerateOptions, tools: Sequence[ToolSpec], translation: Translation) -> str | None:
    if options.must_call is None:
        return None
    names = [tool.name for tool in tools]
    if options.must_call is True and len(names) > 1:
        return ""
    called = names[0] if options.must_call is True and names else options.must_call
    if called not in names:
        offered = ", ".join(names) or "none"
        raise OptionError(f"must_call is {options.must_call!r}, but the tools are: {offered}; give the tool, too")
    return translation.to_native(ToolCall("", str(called), {})).name
