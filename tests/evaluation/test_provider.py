"""The models of agentaudio as a provider of inspect-ai."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ChatMessageUser,
    Content,
    ContentAudio,
    ContentText,
    GenerateConfig,
    Model,
    get_model,
)
from inspect_ai.tool import ToolCall, ToolInfo
from support.benchmarks import sound

from agentaudio.conversation import AudioPart, Conversation, SpeechPart, ToolSpec
from agentaudio.errors import AudioError, EvaluationError
from agentaudio.evaluation.provider import SpokenModel
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, Delta, ReferenceVoice, TextDelta
from agentaudio.sound.audio import Audio


def heard(path: Path) -> ContentAudio:
    content = base64.b64encode(path.read_bytes()).decode()
    return ContentAudio(audio=f"data:audio/wav;base64,{content}", format="wav")


def served(steps: Sequence[object], **options: object) -> Model:
    model = Scripted(steps)  # type: ignore[arg-type]
    return Model(SpokenModel("scripted", speech_model=model, **options), GenerateConfig())  # type: ignore[arg-type]


async def test_inspect_finds_a_model_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text(json.dumps(["hello"]))
    model = get_model(f"agentaudio/scripted:{tmp_path / 'script.json'}", memoize=False)
    assert (await model.generate("hi")).completion == "hello"
    assert await model.api.count_text_tokens("12345678") == 3


async def test_a_whole_conversation_reaches_the_model(tmp_path: Path) -> None:
    seen: list[Conversation] = []

    def step(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        seen.append(conversation)
        assert [tool.name for tool in tools] == ["look"]
        return [TextDelta("done")]

    content: list[Content] = [heard(sound(tmp_path / "a.wav", 0.3)), ContentText(text="look it up")]
    messages: list[ChatMessage] = [
        ChatMessageUser(content=content),
        ChatMessageAssistant(content=[heard(sound(tmp_path / "b.wav", 0.2)), ContentText(text="wait")],
                             tool_calls=[ToolCall(id="1", function="look", arguments={"at": "x"})]),
        ChatMessageTool(content="found", tool_call_id="1", function="look"),
    ]  # fmt: skip
    model = served([step] * 2)
    assert (await model.generate(messages, tools=[ToolInfo(name="look", description="looks")])).completion == "done"
    user, assistant, tool = seen[0].messages
    assert isinstance(user.parts[0], AudioPart) and user.parts[0].audio.duration == pytest.approx(0.3)
    assert user.text == "look it up"
    assert isinstance(assistant.parts[0], SpeechPart) and assistant.tool_calls[0].arguments == {"at": "x"}
    assert tool.tool_outputs[0].text == "found"


async def test_spoken_answers_are_files_and_the_output_holds_their_paths(tmp_path: Path) -> None:
    output = await served(["two words"], sounds=str(tmp_path)).generate("hi")
    content = output.message.content
    assert isinstance(content, list) and isinstance(content[1], ContentAudio)
    assert Path(content[1].audio).parent == tmp_path and Audio.load(content[1].audio).duration == pytest.approx(0.6)


async def test_settings_that_the_model_does_not_take_are_listed() -> None:
    class Plain(Scripted):
        capabilities = Scripted.capabilities.__class__(hears=True, voices="none", calls_tools=False)

    def silent(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        assert not tools
        return [TextDelta("x")]

    model = Model(SpokenModel("plain", speech_model=Plain([silent])), GenerateConfig(temperature=0.5, seed=3))
    output = await model.generate("hi", tools=[ToolInfo(name="look", description="looks")])
    assert output.metadata is not None and output.metadata["ignored"] == ["seed", "temperature"]


async def test_calls_come_with_what_is_wrong_with_them() -> None:
    from agentaudio.conversation import ToolCall as Call

    def step(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        return [CallDelta(Call("1", "look", {"a": 1})), CallDelta(Call("2", "look", {}), problem="not JSON")]

    output = await served([step]).generate("hi", tools=[ToolInfo(name="look", description="looks")])
    calls = output.message.tool_calls
    assert calls is not None and [(one.function, one.parse_error) for one in calls] == [
        ("look", None),
        ("look", "not JSON"),
    ]
    assert output.stop_reason == "tool_calls"


async def test_a_text_is_spoken_in_the_voice_of_a_clip(tmp_path: Path) -> None:
    content: list[Content] = [heard(sound(tmp_path / "clip.wav", 3.0)), ContentText(text="say these four words")]
    model = served(["not this"], clones=True, sounds=str(tmp_path / "out"))
    output = await model.generate([ChatMessageUser(content=content)])
    (file,) = (tmp_path / "out").glob("*.wav")
    assert output.completion == "say these four words" and Audio.load(file).duration == pytest.approx(1.2)


async def test_what_cannot_be_heard_or_transcribed_is_an_error(tmp_path: Path) -> None:
    broken: list[Content] = [ContentAudio(audio="data:audio/wav;base64,AAAA", format="wav")]
    with pytest.raises(AudioError):
        await served(["x"]).generate([ChatMessageUser(content=broken)])
    with pytest.raises(EvaluationError, match="0 sounds to transcribe"):
        await served(["x"], transcribes=True).generate("hi")
