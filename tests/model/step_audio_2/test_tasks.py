"""Transcribe, translate, describe: with the prompts of the training, and from the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.sounds import tone  # noqa: E402
from support.step_audio_2_answers import network  # noqa: E402

from agentaudio import Audio  # noqa: E402
from agentaudio.cli import main  # noqa: E402
from agentaudio.conversation import Conversation  # noqa: E402
from agentaudio.errors import AudioError, OptionError  # noqa: E402
from agentaudio.model.speech_lm import Delta, End, GenerateOptions, TextDelta  # noqa: E402
from agentaudio.model.step_audio_2 import tasks  # noqa: E402
from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, TokenIds  # noqa: E402
from agentaudio.model.transcribe import transcribe  # noqa: E402

IDS = TokenIds()


@pytest.fixture(scope="module")
def model(folder: Path) -> StepAudio2:
    return StepAudio2.load(folder, device="cpu", dtype="float32")


class Prompts:
    """What the model reads, and what it answers."""

    def __init__(self, model: StepAudio2, vocabulary: BpeVocabulary, words: str) -> None:
        self.read: list[str] = []
        self._vocabulary = vocabulary
        self._answer = iter([*vocabulary.encode(words), IDS.eot])
        weights = network(model)
        self.hooks = [
            weights.register_forward_pre_hook(self._note, with_kwargs=True),
            weights.lm_head.register_forward_hook(self._prefer),
        ]

    def _note(self, _: Any, __: Any, given: dict[str, Any]) -> None:
        ids: Sequence[int] = given["input_ids"][0].tolist()
        if len(ids) > 1:
            spelled = (IDS.spelled(number) or self._vocabulary.token_bytes(number).decode("latin-1") for number in ids)
            self.read.append("".join(spelled).encode("latin-1").decode())

    def _prefer(self, _: Any, __: Any, logits: Any) -> Any:
        return logits.index_fill(-1, torch.tensor([next(self._answer, IDS.eot)]), 1e4)


@pytest.mark.parametrize(
    ("task", "instruction"),
    [
        (transcribe, tasks.TRANSCRIBE.prompt),
        (lambda model, audio: model.translate(audio), tasks.TRANSLATE["en"].prompt),
        (lambda model, audio: model.translate(audio, "zh"), tasks.TRANSLATE["zh"].prompt),
        (lambda model, audio: model.describe(audio), tasks.DESCRIBE.prompt),
    ],
    ids=["transcribe", "to English", "to Chinese", "describe"],
)
async def test_task_goes_into_the_system_message_and_the_words_come_back(
    model: StepAudio2, folder: Path, task: Any, instruction: str
) -> None:
    model._kept.clear()
    prompts = Prompts(model, BpeVocabulary.load(str(folder / "tokenizer.json")), " the words \n")
    try:
        assert await task(model, tone(duration_s=0.1)) == "the words"
    finally:
        for hook in prompts.hooks:
            hook.remove()
    (read,) = prompts.read
    heard = "<audio_start><audio_patch><audio_end>"
    assert read == f"<|BOT|>system\n{instruction}<|EOT|><|BOT|>human\n{heard}<|EOT|><|BOT|>assistant\n"


class Recording:
    """Takes a task as StepAudio2 does, and keeps how it was asked."""

    def __init__(self) -> None:
        self.options: list[GenerateOptions] = []

    async def generate(
        self, conversation: Conversation, *, options: GenerateOptions = GenerateOptions(), verbatim: bool = False
    ) -> AsyncGenerator[Delta, None]:
        assert verbatim
        self.options.append(options)
        yield TextDelta("words")
        yield End()


@pytest.mark.parametrize(
    ("task", "seconds", "temperature", "max_tokens"),
    [
        (tasks.TRANSCRIBE, 25.6, 0.0, 256),
        (tasks.TRANSCRIBE, 30.0, 0.0, 300),
        (tasks.TRANSLATE["en"], 25.0, 0.1, 256),
        (tasks.TRANSLATE["zh"], 60.0, 0.1, 600),
        (tasks.DESCRIBE, 60.0, 0.1, 256),
    ],
)
async def test_settings_are_those_of_the_authors_and_longer_sound_may_take_more_tokens(
    task: tasks.Task, seconds: float, temperature: float, max_tokens: int
) -> None:
    model = Recording()
    assert await tasks.written(model, task, tone(duration_s=seconds)) == "words"
    (used,) = model.options
    assert used == GenerateOptions(
        speak=False, temperature=temperature, top_p=1.0, repetition_penalty=1.0, max_tokens=max_tokens
    )


async def test_text_that_is_cut_off_is_reported(model: StepAudio2, caplog: pytest.LogCaptureFixture) -> None:
    short = GenerateOptions(speak=False, temperature=0, max_tokens=3)
    await model.transcribe(tone(duration_s=0.1), options=short)
    assert "cut off after 3 tokens" in caplog.text


async def test_bad_input_gives_one_clear_error(model: StepAudio2) -> None:
    for task in (model.transcribe, model.translate, model.describe):
        with pytest.raises(AudioError, match="holds no samples"):
            await task(Audio(np.zeros(0), 16_000))
        with pytest.raises(AudioError, match="is silent"):
            await task(Audio(np.zeros(16_000), 16_000))
    with pytest.raises(OptionError, match="cannot translate to 'fr'"):
        await model.translate(tone(), "fr")  # type: ignore[arg-type]


def test_commands_make_a_checkpoint_and_use_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return int(ended.value.code or 0), *capfd.readouterr()

    short = GenerateOptions(speak=False, temperature=0, max_tokens=2)
    for name in ("TRANSCRIBE", "DESCRIBE"):
        monkeypatch.setattr(tasks, name, replace(getattr(tasks, name), options=short, scales=False))
    monkeypatch.setitem(tasks.TRANSLATE, "zh", replace(tasks.TRANSLATE["zh"], options=short, scales=False))
    monkeypatch.setattr(tasks, "MAX_TOKENS", 2)
    made, sound = tmp_path / "tiny", tmp_path / "question.wav"
    tone(duration_s=0.2).save(sound)
    code, output, _ = run("model", "init-tiny", made, "--shards", 2, "--for-vllm")
    assert code == 0 and "made" in output and (made / "model.safetensors.index.json").exists()
    name = f"step-audio-2-mini:{made}"
    code, output, _ = run("transcribe", sound, "--model", name)
    assert code == 0 and output.strip()
    for command in (["translate", "--to", "zh"], ["describe"]):
        code, output, _ = run(*command, sound, "--model", name, "--json")
        assert code == 0 and set(json.loads(output)) == {"file", "model", "text"}
    for arguments, words in (
        (["transcribe", tmp_path / "none.wav", "--model", name], "no such file"),
        (["describe", sound, "--model", f"step-audio-2-mini:{tmp_path / 'none'}"], "no folder"),
        (["describe", sound, "--model", "scripted"], "does not have this task"),
        (["model", "init-tiny", made, "--dtype", "int8"], "cannot be 'int8'"),
    ):
        code, _, output = run(*arguments)
        assert code == 1 and output.count("error: ") == 1 and words in output
    code, _, _ = run("translate", sound, "--to", "fr")
    assert code == 2
