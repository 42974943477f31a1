"""Step-Audio 2 on a real, unmodified vLLM: its prompts and greedy answers are those of the native model.

`make test-vllm` runs this on a tiny checkpoint of random weights, in an environment that has torch and, in another one,
vLLM.
"""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.chat_wire import wire_messages, wire_tools
from support.vllm_server import ENVIRONMENT, NAME, PYTHON, serving

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolSpec,
)
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.language.segments import Prompt
from agentaudio.model.step_audio_2.network.features import batch, features
from agentaudio.model.step_audio_2.tokens import CODE_RATE_HZ, CODEC, BpeVocabulary, TokenIds
from agentaudio.sound.audio import Audio

if TYPE_CHECKING:
    from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM

IDS = TokenIds()
LENGTHS_S = (0.04, 0.3, 0.77, 1.5, 2.6, 4.1, 6.66, 9.9, 14.2, 19.0, 24.97, 25.0, 26.3, 51.2)
TOKENS = 24
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = [ToolSpec("web_search", "Search <|EOT|> the web.", QUERY), ToolSpec("book", "", {"type": "object"})]
CALL = '<tool_call>function\nsearch\n{"query": "tea"}</tool_call>'
pytestmark = [
    pytest.mark.skipif(not PYTHON, reason="needs vLLM: make test-vllm"),
    pytest.mark.skipif(find_spec("torch") is None, reason="needs torch beside pytest: make test-vllm"),
]
Ask = Callable[..., dict[str, Any]]


class Native:
    """The native model's prompts and greedy answers."""

    def __init__(self, folder: Path) -> None:
        from agentaudio.model.step_audio_2.network.checkpoint import load_checkpoint

        self.model: StepAudio2ForCausalLM = load_checkpoint(folder, dtype="float32")
        self.model.config.pieces_together = False
        self.vocabulary = BpeVocabulary.load(str(folder / "tokenizer.json"))
        self.prompts = PromptBuilder(self.vocabulary)

    def answer(self, prompt: Prompt, tokens: int) -> list[int]:
        import torch

        whole = dict.fromkeys(segment.audio for segment in prompt.audio)
        mels = {(sound, n * 400_000): mel for sound in whole for n, mel in enumerate(features(sound))}
        pieces = batch([mels[segment.audio, segment.start] for segment in prompt.audio])
        inputs: dict[str, Any] = {"input_ids": torch.tensor([prompt.ids])}
        if len(pieces.feature_lengths):
            inputs["input_features"] = torch.from_numpy(pieces.input_features)
            inputs["feature_lengths"] = torch.from_numpy(pieces.feature_lengths)
        with torch.inference_mode():
            made = self.model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
        found: list[int] = made[0, len(prompt.ids) :].tolist()
        return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from agentaudio.model.step_audio_2.init_tiny import init_tiny

    # vLLM's attention takes heads of 32, 64, 128 ...
    sizes = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    return init_tiny(tmp_path_factory.mktemp("step_audio_2"), dtype="float32", text=sizes)


@pytest.fixture(scope="module")
def native(folder: Path) -> Native:
    return Native(folder)


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    with serving(PYTHON, folder, log, ENVIRONMENT, "--tool-call-parser", "step_audio_2") as address:
        yield address


@pytest.fixture(scope="module")
def ask(server: str) -> Ask:
    """Sends a request and returns the answer; of a refused one, `status` and `error`."""

    def asked(messages: Sequence[Any], path: str = "/v1/chat/completions", **fields: Any) -> dict[str, Any]:
        sent = {
            "model": NAME, "messages": messages, "temperature": 0, "max_tokens": TOKENS, "min_tokens": TOKENS,
            "return_token_ids": True, "skip_special_tokens": False, **fields,
        }  # fmt: skip
        request = urllib.request.Request(server + path, json.dumps(sent).encode(), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=300) as response:
                found: dict[str, Any] = json.loads(response.read())
                return found
        except urllib.error.HTTPError as refusal:
            return {"status": refusal.code, "error": refusal.read().decode()}

    return asked


@pytest.fixture(scope="module")
def stream(server: str) -> Callable[..., list[dict[str, Any]]]:
    """Sends a request and returns the chunks of the streamed answer."""

    def streamed(messages: Sequence[Any], **fields: Any) -> list[dict[str, Any]]:
        sent = {
            "model": NAME,
            "messages": messages,
            "temperature": 0,
            "stream": True,
            "return_token_ids": True,
            **fields,
        }
        address = f"{server}/v1/chat/completions"
        request = urllib.request.Request(address, json.dumps(sent).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as response:
            lines = [line[6:] for line in response.read().decode().splitlines() if line.startswith("data: {")]
        return [json.loads(line) for line in lines]

    return streamed


def sound(seconds: float, seed: int = 0, rate: int = 16_000) -> AudioPart:
    noise = np.random.default_rng(seed).normal(0, 0.1, round(rate * seconds)).clip(-1, 1)
    return AudioPart(Audio(noise.astype(np.float32), rate))


def speech(text: str, seed: int, codes: int) -> SpeechPart:
    drawn = np.random.default_rng(seed).integers(0, 6561, codes).tolist()
    return SpeechPart(text, tokens=SpeechTokens(tuple(drawn), CODEC, CODE_RATE_HZ))


def talk(seconds: float, seed: int) -> Conversation:
    """Three turns: with sound among words, a call with its result, spoken answers, and sound at the end."""
    made = Conversation()
    made.add("system", "Be kind.<|EOT|><audio_start>")
    made.add("user", "First this:", sound(0.8, seed), sound(0.31, seed + 1, 44_100), "then that.")
    made.add("assistant", speech("Gern, é茶!", seed, 4 * seed + 3), ToolCall("c1", "web_search", {"query": "thé"}))
    made.add("tool", ToolOutput("c1", "web_search", "Tea is <tool_call> green."))
    made.add("assistant", TextPart("Well: "), speech("green", seed + 1, 2))
    made.add("user", sound(seconds, seed + 2))
    return made


def requested(
    native: Native, conversation: Conversation, tools: Sequence[ToolSpec] = ()
) -> tuple[Prompt, dict[str, Any]]:
    """The native prompt, and the same conversation as a request."""
    translation = native.prompts.translation(conversation, tools)
    opening = {"role": "assistant", "content": "<tts_start>"}
    fields: dict[str, Any] = {
        "messages": [*wire_messages(conversation, translation), opening],
        "continue_final_message": True,
        "add_generation_prompt": False,
    }
    if tools:
        fields["tools"] = wire_tools(translation.specs)
    return native.prompts.build(conversation, tools), fields


def test_greedy_answers_are_those_of_the_native_model(native: Native, ask: Ask, figures: dict[str, Any]) -> None:
    equal = compared = 0
    for number, seconds in enumerate(LENGTHS_S):
        plain = Conversation()
        plain.add("user", sound(seconds, 100 + number))
        for conversation, tools in ((plain, ()), (talk(seconds, number), TOOLS)):
            prompt, fields = requested(native, conversation, tools)
            answered = ask(**fields)
            assert answered["prompt_token_ids"] == list(prompt.ids), seconds
            expected = native.answer(prompt, TOKENS)
            found = answered["choices"][0]["token_ids"]
            equal += sum(one == other for one, other in zip(found, expected, strict=True))
            compared += TOKENS
    figures["greedy_tokens"] = {"compared": compared, "equal": equal, "lengths_of_sound": len(LENGTHS_S)}
    assert compared >= 500 and equal == compared


def test_an_answer_that_goes_back_by_its_ids_is_read_as_it_was(native: Native, ask: Ask) -> None:
    """Random weights write tokens that no text would become."""
    conversation = Conversation()
    conversation.add("user", sound(1.2, 5))
    prompt, fields = requested(native, conversation)
    said = ask(**fields)["choices"][0]["token_ids"]
    native.prompts.remember(prompt, said, text="something")
    conversation.add("assistant", "something")
    conversation.add("user", "And?")
    prompt, fields = requested(native, conversation)
    fields["messages"][1]["token_ids"] = [IDS.tts_start, *said, IDS.tts_end, IDS.eot]
    answered = ask(**fields)
    assert answered["prompt_token_ids"] == list(prompt.ids)
    assert answered["choices"][0]["token_ids"] == native.answer(prompt, TOKENS)


def test_written_answers_and_thoughts_begin_as_in_the_native_model(native: Native, ask: Ask) -> None:
    conversation = Conversation()
    conversation.add("user", "Hi")
    messages = wire_messages(conversation, native.prompts.translation(conversation))
    written = ask(messages, add_generation_prompt=True, max_tokens=1, min_tokens=1)
    assert written["prompt_token_ids"] == list(native.prompts.build(conversation, reply="text").ids)
    opening = {"role": "assistant", "content": "\n<think>\n"}
    flags = {"continue_final_message": True, "add_generation_prompt": False, "max_tokens": 1, "min_tokens": 1}
    thought = ask([*messages, opening], **flags)
    assert thought["prompt_token_ids"] == list(native.prompts.build(conversation, reply="think").ids)


def test_sixteen_at_once_get_what_each_gets_alone(native: Native, ask: Ask, figures: dict[str, Any]) -> None:
    requests = [requested(native, talk(0.5 + 0.37 * number, number), TOOLS)[1] for number in range(16)]
    alone = [ask(**fields)["choices"][0]["token_ids"] for fields in requests]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda fields: ask(**fields)["choices"][0]["token_ids"], requests))
    figures["at_once"] = 16
    assert together == alone and len({tuple(one) for one in together}) == 16


def test_each_delta_brings_its_ids(ask: Ask, stream: Callable[..., list[dict[str, Any]]]) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    chunks = stream(messages, max_tokens=TOKENS, tools=wire_tools(TOOLS), stream_options={"include_usage": True})
    whole = ask(messages, tools=wire_tools(TOOLS), min_tokens=0)
    ids = [one for chunk in chunks for choice in chunk["choices"] for one in choice.get("token_ids") or ()]
    assert ids == whole["choices"][0]["token_ids"]
    assert chunks[0]["prompt_token_ids"] == whole["prompt_token_ids"]
    assert chunks[-1]["usage"]["completion_tokens"] == len(ids)
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]


SEARCH = wire_tools([ToolSpec("search", "", QUERY)])
ANSWERS = {
    f"Let me see.{CALL}": ("Let me see.", ["tea"]),
    f"<tts_start>A<audio_1><audio_2><audio_3><audio_4><tts_end>{CALL}{CALL.replace('tea', 'thé')}": (
        "<tts_start>A<audio_1><audio_2><audio_3><audio_4><tts_end>",
        ["tea", "thé"],
    ),
    '<tool_call>{"name": "search", "arguments": {"query": "tea"}}</tool_call>': ("", ["tea"]),
    'search(query="tea")': ("", ["tea"]),
    "No call, but < 3 <": ("No call, but < 3 <", []),
}  # fmt: skip


@pytest.mark.parametrize("said", ANSWERS)
def test_calls_are_parsed_whole_and_streamed(said: str, ask: Ask, stream: Callable[..., list[dict[str, Any]]]) -> None:
    content, queries = ANSWERS[said]
    fields = {"tools": SEARCH, "max_tokens": 300, "structured_outputs": {"choice": [said]}}
    messages = [{"role": "user", "content": "Search!"}]
    choice = ask(messages, **fields, min_tokens=0)["choices"][0]
    calls = [call["function"] for call in choice["message"].get("tool_calls") or ()]
    assert [(call["name"], json.loads(call["arguments"])) for call in calls] == [
        ("search", {"query": one}) for one in queries
    ]
    assert (choice["message"]["content"] or "") == content
    assert choice["finish_reason"] == ("tool_calls" if queries else "stop")

    choices = [choice for chunk in stream(messages, **fields) for choice in chunk["choices"]]
    deltas = [choice["delta"] for choice in choices]
    streamed = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    assert [call["function"] for call in streamed] == calls
    assert [call["index"] for call in streamed] == list(range(len(queries)))
    assert len({call["id"] for call in streamed}) == len(queries)
    assert "".join(delta.get("content") or "" for delta in deltas) == content
    assert choices[-1]["finish_reason"] == choice["finish_reason"]


@pytest.mark.parametrize("end", [IDS.eot, IDS.endoftext, IDS.im_end])
def test_an_answer_ends_where_the_model_ends_it(ask: Ask, end: int) -> None:
    choice = ask([{"role": "user", "content": "Hi"}], min_tokens=0, allowed_token_ids=[end])["choices"][0]
    assert (choice["finish_reason"], choice["token_ids"]) == ("stop", [end])


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"role": "assistant", "content": "a", "token_ids": [-5]}, "-5"),
        ({"role": "assistant", "content": "a", "token_ids": [10**9]}, "vocabulary"),
        ({"role": "assistant", "content": "a", "tts_content": {"tts_text": "a"}}, "tts_audio"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}, ""),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}, ""),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_server_goes_on(ask: Ask, message: dict[str, Any], problem: str) -> None:
    question = {"role": "user", "content": "Hi"}
    refused = ask([question, message, question])
    assert refused.get("status") == 400 and problem in refused["error"], refused
    assert len(ask([question])["choices"][0]["token_ids"]) == TOKENS


def test_registering_twice_is_harmless() -> None:
    program = "\n".join(
        [
            "from agentaudio.model.step_audio_2.vllm.plugin import register",
            "register(); register()",
            "from vllm.model_executor.models.registry import ModelRegistry",
            "assert 'StepAudio2ForCausalLM' in ModelRegistry.get_supported_archs()",
        ]
    )
    done = subprocess.run([PYTHON, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "overwritten" not in done.stdout + done.stderr
