"""`LlamaWeights`: a GGUF file in memory, by llama-cpp-python, with its tokenizer and chat template."""

from __future__ import annotations

import ctypes
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from llama_cpp.llama_grammar import LlamaGrammar, json_schema_to_gbnf

from agentaudio.conversation import ToolSpec
from agentaudio.errors import BackendError
from agentaudio.model.chat_models.template import KEPT_MARKS, ChatTemplate, Messages, Write
from agentaudio.model.generation.line import CheckStop
from agentaudio.model.generation.stop_flag import StopFlag
from agentaudio.model.speech_lm import GenerateOptions

_PIECE_BYTES = 1024
_log = logging.getLogger(__name__)


class LlamaWeights:
    """A loaded GGUF file; see `Weights`. What a prompt has in common with the last one is not computed again.

    name: of the model, for messages
    path: of the file
    context: tokens of prompt and answer; memory is reserved for them
    threads: None for half of the processor's cores
    gpu_layers: layers on the GPU, where llama.cpp was built for one; -1 for all
    thinks: whether a reasoning model may think, where its template has that switch

    template: its chat template
    ends: tokens that end an answer

    Raises BackendError when the file is not GGUF, does not load, or has no chat template.
    """

    def __init__(
        self, name: str, path: Path, *, context: int, threads: int | None, gpu_layers: int, thinks: bool
    ) -> None:
        _check_gguf(path)
        try:
            self._llama = llama_cpp.Llama(
                str(path), n_ctx=context, n_threads=threads, n_threads_batch=threads, n_gpu_layers=gpu_layers,
                verbose=False,
            )  # fmt: skip
        except Exception as error:  # llama-cpp-python raises ValueError, and others for what it reads
            raise BackendError(
                f"{path} does not load: {str(error)[:200]}; the file may be cut off, too large for the memory, or of "
                "an architecture that this llama.cpp does not have"
            ) from error
        self.name, self.context = name, self._llama.n_ctx()
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._llama.model)
        self._pieces: dict[int, bytes] = {}
        kinds = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL, llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED
        control = self._tokens_with(kinds[0])
        special = {token: self._piece(token).decode("utf-8", "replace") for token in self._tokens_with(sum(kinds))}
        self._hidden = frozenset(token for token in control if special[token] not in KEPT_MARKS)
        self.template = ChatTemplate(self._writer(thinks), special.values(), name=name)
        self.ends = frozenset(
            token for token in control if llama_cpp.llama_vocab_is_eog(self._vocabulary, token)
        ) | control.intersection(self.encode(self.template.after_answer)[:1])
        if not self.ends:
            raise BackendError(f"{path} has no token that ends an answer; use an instruct model")

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, which may hold special ones."""
        return list(self._llama.tokenize(text.encode(), add_bos=False, special=True))

    def encode_prompt(self, prompt: str) -> list[int]:
        """The tokens of a prompt, with the first token that the model was trained with, if the template left it out."""
        tokens, first = self.encode(prompt), self._llama.token_bos()
        left_out = llama_cpp.llama_vocab_get_add_bos(self._vocabulary) and tokens[:1] != [first]
        return [first, *tokens] if left_out else tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without the special ones except those of thoughts and calls."""
        return b"".join(self._piece(one) for one in tokens if one not in self._hidden).decode("utf-8", "replace")

    def generate(
        self,
        prompt: Sequence[int],
        *,
        tools: Sequence[ToolSpec],
        options: GenerateOptions,
        limit: int,
        take: Callable[[int], bool],
        check_stop: CheckStop,
        flag: StopFlag,
    ) -> None:
        """Generate tokens until one is the last; see `Weights`. What is None in the options is as the library has it.

        Where the template writes calls in tags, the JSON of a call follows the tools' schemas.
        Raises RuntimeError when the computation fails or is stopped.
        """
        self._stop = flag  # llama.cpp reads its text
        stopped = ctypes.cast(ctypes.CDLL(None).strlen, llama_cpp.ggml_abort_callback)
        llama_cpp.llama_set_abort_callback(self._llama.ctx, stopped, ctypes.cast(flag.text, ctypes.c_void_p))
        chosen = {"temp": options.temperature, "top_p": options.top_p, "repeat_penalty": options.repetition_penalty}
        sampling = {name: value for name, value in chosen.items() if value is not None}
        self._llama.set_seed(options.seed % 2**32 if options.seed is not None else secrets.randbits(31))
        grammar = self._call_grammar(tools) if tools and self.template.tagged_calls else None
        try:
            for token in self._sampled(list(prompt), sampling, grammar):
                if take(token):
                    return
        except Exception:
            self._llama.reset()  # what was computed of the prompt is not known
            raise

    def _sampled(self, written: list[int], sampling: dict[str, Any], grammar: str | None) -> Iterator[int]:
        """Tokens behind `written`; those between the tags of a call follow the grammar."""
        end, constrained = len(written), False
        while True:
            rule = LlamaGrammar.from_string(grammar, verbose=False) if constrained and grammar else None
            for token in self._llama.generate(written, grammar=rule, **sampling):
                written.append(token)
                yield token
                text = self.decode(written[max(end, len(written) - 16) :])
                if grammar and text.endswith("</tool_call>" if constrained else "<tool_call>"):
                    constrained = not constrained
                    break

    def close(self) -> None:
        """Free the weights."""
        self._llama.close()

    def _tokens_with(self, attributes: int) -> frozenset[int]:
        """The tokens that have one of these attributes."""
        vocabulary = self._vocabulary
        size = llama_cpp.llama_vocab_n_tokens(vocabulary)
        return frozenset(n for n in range(size) if llama_cpp.llama_vocab_get_attr(vocabulary, n) & attributes)

    def _piece(self, token: int) -> bytes:
        if token not in self._pieces:
            buffer = ctypes.create_string_buffer(_PIECE_BYTES)
            length = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, _PIECE_BYTES, 0, True)
            self._pieces[token] = buffer.raw[: max(0, length)]
        return self._pieces[token]

    def _writer(self, thinks: bool) -> Write:
        """The chat template of the file, which runs in Jinja's sandbox."""
        source = self._llama.metadata.get("tokenizer.chat_template")
        if not source:
            raise BackendError(
                f"{self._llama.model_path} has no chat template, so its prompts are unknown; take the instruct version"
            )
        llama = self._llama
        eos, bos = (
            self._piece(token).decode("utf-8", "replace") if token >= 0 else ""
            for token in (llama.token_eos(), llama.token_bos())
        )
        template = Jinja2ChatFormatter(source, eos_token=eos, bos_token=bos)

        def write(messages: Messages, tools: list[dict[str, Any]] | None) -> str:
            given: Any = {"messages": messages, "tools": tools, "enable_thinking": thinks}
            return str(template(**given).prompt)

        return write

    def _call_grammar(self, tools: Sequence[ToolSpec]) -> str | None:
        """The grammar of a call behind <tool_call>, in GBNF; None for schemas that cannot be written so."""
        calls = [
            {
                "type": "object",
                "properties": {"name": {"const": tool.name}, "arguments": {"type": "object", **tool.parameters}},
                "required": ["name", "arguments"],
            }
            for tool in tools
        ]
        try:
            rules = json_schema_to_gbnf(json.dumps({"oneOf": calls}))
            grammar = re.sub(r"^root ::=", "call ::=", rules, flags=re.MULTILINE)
            grammar += '\nroot ::= "\\n"? call "\\n"? "</tool_call>"'
            LlamaGrammar.from_string(grammar, verbose=False)
        except Exception as error:  # the converter raises whatever a foreign schema leads it to
            _log.warning("calls of %s are not constrained: their schemas have no grammar (%r)", self.name, error)
            return None
        return grammar


def _check_gguf(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begins = file.read(4)
    except OSError as error:
        raise BackendError(
            f"{path} cannot be read ({error.strerror}); give a GGUF file, or OWNER/REPOSITORY/FILE.gguf of the hub"
        ) from error
    if begins != b"GGUF":
        raise BackendError(f"{path} is not a GGUF file; convert the weights with llama.cpp, or download a GGUF file")
