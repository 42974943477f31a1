"""A real vLLM that serves a tiny random checkpoint, and a door in front of it that says what it shall answer.

vLLM constrains the answer (`structured_outputs`), so random weights say whatever the test asks for; everything on the
wire is vLLM's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STARTS_WITHIN_S = 900.0
NAME = "tiny"
PYTHON = os.environ.get("AGENTAUDIO_VLLM_PYTHON", "")
"""The interpreter of an environment with vLLM."""
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1",
}  # fmt: skip

CHECKPOINT = """
import sys
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

folder = sys.argv[1]
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
made.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
made.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("</tool_call>", normalized=False)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>")
tokenizer.chat_template = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\\n"
    "{% if message.content %}{{ message.content }}{% endif %}"
    "{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\\n{% endfor %}<|im_start|>assistant\\n"
)
tokenizer.save_pretrained(folder)
torch.manual_seed(0)
# vLLM's attention on the CPU takes heads of 32, 64, 128 ...
config = Qwen2Config(
    vocab_size=len(tokenizer), hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=4096, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
    tie_word_embeddings=False,
)
Qwen2ForCausalLM(config).save_pretrained(folder)
"""


@contextlib.contextmanager
def vllm_server(python: str, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a running vLLM with a tiny Qwen2, such as http://127.0.0.1:4000.

    python: the interpreter of an environment with vLLM
    """
    checkpoint = folder / "checkpoint"
    subprocess.run([python, "-c", CHECKPOINT, str(checkpoint)], check=True, capture_output=True)
    with serving(python, checkpoint, folder / "vllm.log", environment, "--tool-call-parser", "hermes") as address:
        yield address


@contextlib.contextmanager
def serving(python: str, checkpoint: Path, log: Path, environment: Mapping[str, str], *flags: str) -> Iterator[str]:
    """The address of a running vLLM with a checkpoint, under the name NAME. It takes minutes to start on a CPU."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint), "--served-model-name", NAME,
        "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager", "--max-model-len", "4096",
        "--enable-auto-tool-choice", *flags,
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=dict(environment), start_new_session=True
        )
        try:
            _wait_until_it_serves(address, process, log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_serves(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-4000:]
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            return
        time.sleep(1)
    raise AssertionError(f"vLLM did not start: {log.read_text(errors='replace')[-4000:]}")


def running_requests(address: str) -> float:
    """How many requests vLLM works on, by its own count."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    counts = ("vllm:num_requests_running", "vllm:num_requests_waiting")
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(counts) and "_by_" not in line)


Wanted = Callable[[dict[str, Any]], tuple[str, int | None, bool]]


@dataclass
class Door:
    """A forwarder on 127.0.0.1.

    wanted: for the body of a request, the words of the answer, with their limit in tokens (None for none), and whether
        the connection is cut in the middle of the answer
    special: ids of tokens that are written as such where the words spell them; otherwise the model chooses between the
        token and its letters
    """

    target: tuple[str, int]
    wanted: Wanted
    special: Mapping[str, int] = field(default_factory=dict)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if line]
            length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
            body = await reader.readexactly(length)
            request = json.loads(body)
            words, limit, cut = self.wanted(request)
            request |= said(words, self.special)
            if limit is not None:
                request["max_tokens"] = limit
            body = json.dumps(request).encode()
            kept = [line for line in lines if not line.lower().startswith((b"content-length:", b"connection:"))]
            kept += [b"content-length: %d" % len(body), b"connection: close"]
            await self._forward(b"\r\n".join(kept) + b"\r\n\r\n" + body, reader, writer, cut)
        writer.close()

    async def _forward(
        self, request: bytes, client: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: bool
    ) -> None:
        server, out = await asyncio.open_connection(*self.target)
        gone = asyncio.ensure_future(client.read(1))  # a client that closes sends no more
        try:
            out.write(request)
            sent = 0
            while True:
                coming = asyncio.ensure_future(server.read(65_536))
                await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    return
                piece = coming.result()
                writer.write(piece)
                await writer.drain()
                sent += piece.count(b'"content"')
                if not piece or (cut and sent > 3):
                    return
        finally:
            gone.cancel()
            out.close()


def said(words: str, special: Mapping[str, int]) -> dict[str, Any]:
    """Fields of a request by which vLLM says these words; see Door."""
    spelled = [special[name] for name in re.findall(r"<[^<>]*>", words) if name in special]
    return {
        "structured_outputs": {"choice": [words]},
        "temperature": 0,
        **({"logit_bias": {str(number): 100 for number in spelled}} if spelled else {}),
    }


@contextlib.asynccontextmanager
async def door(address: str, wanted: Wanted, special: Mapping[str, int] | None = None) -> AsyncIterator[Door]:
    """A running Door in front of a server."""
    host, _, port = address.removeprefix("http://").partition(":")
    made = Door((host, int(port)), wanted, special or {})
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listening.close()
