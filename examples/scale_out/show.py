"""The whole of it at tiny size on one machine, killed and recovered: vLLM, Ray Serve, Milvus Lite, all real processes.

    python examples/scale_out/show.py --vllm PYTHON [--json FILE]

PYTHON is the interpreter of an environment with vLLM and agentaudio[vllm]; this one needs the extras local, server and
scale. A checkpoint of random weights speaks nonsense by the real code. What is killed is killed by SIGKILL: a process
that adds voices to Milvus, a replica in the middle of an utterance, and vLLM in the middle of an answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from agent import build

from agentaudio import GenerateOptions, VoiceLibrary
from agentaudio.errors import BackendError
from agentaudio.model.step_audio_2.init_tiny import FOR_VLLM, init_tiny
from agentaudio.model.step_audio_2.token2wav.remote import RemoteDecoder
from agentaudio.retrieval.vectors.milvus import MilvusIndex
from agentaudio.voice_library.encoders import load_encoder
from agentaudio.voice_library.library import demo_voices

HERE = Path(__file__).parent
PATIENCE_S = 900.0
VOICES = 8
OPTIONS = GenerateOptions(max_tokens=120, seed=1)

ADDS = """
import sys
import numpy as np
from agentaudio.retrieval.vectors.milvus import MilvusIndex
index = MilvusIndex(sys.argv[1], int(sys.argv[2]), collection="strangers")
drawn = np.random.default_rng(0)
for number in range(100_000):
    vector = drawn.normal(size=(1, int(sys.argv[2]))).astype(np.float32)
    index.add([number], vector / np.linalg.norm(vector))
    print(number, flush=True)
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until(condition: Callable[[], bool], what: str) -> float:
    """Seconds until a condition holds."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > PATIENCE_S:
            raise SystemExit(f"{what} does not come to be")
        time.sleep(0.2)
    return time.monotonic() - begun


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    except OSError:
        return False


@contextmanager
def vllm(python: str, checkpoint: Path, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """vLLM with the tiny checkpoint, once it answers."""
    settings = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    command = [
        python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint), "--served-model-name", "tiny",
        "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager", "--max-model-len", "4096",
        "--enable-auto-tool-choice", "--tool-call-parser", "step_audio_2",
    ]  # fmt: skip
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | settings, start_new_session=True
        )
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/health") or process.poll() is not None, "vLLM")
            if process.poll() is not None:
                raise SystemExit(f"vLLM did not start:\n{log.read_text(errors='replace')[-3000:]}")
            yield process
        finally:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a process and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


@contextmanager
def sound(checkpoint: Path, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Two replicas of token2wav on Ray Serve, once they are ready."""
    command = [
        sys.executable, str(HERE / "sound.py"), str(checkpoint), "--port", str(port), "--steps", "2", "--cpus", "0.5",
        "--device", "cpu",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/readyz") or process.poll() is not None, "Ray Serve")
            if process.poll() is not None:
                raise SystemExit(f"Ray Serve did not start:\n{log.read_text(errors='replace')[-3000:]}")
            yield process
        finally:
            process.send_signal(signal.SIGINT)  # Ray then ends its cluster
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                kill_group(process)


def replica_pids(of: int) -> list[int]:
    """The replicas of the session that the process `of` leads."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            named = entry.joinpath("cmdline").read_bytes().startswith(b"ray::ServeReplica:token2wav")
            if entry.name.isdigit() and named and os.getsid(int(entry.name)) == of:
                found.append(int(entry.name))
        except OSError:
            continue
    return sorted(found)


def library(folder: Path, encoder: Any) -> VoiceLibrary:
    """Some of the voices that come with agentaudio, with the checkpoint's own speaker encoder."""
    made = VoiceLibrary.create(folder, encoder=encoder)
    for voice in [*demo_voices()][:VOICES]:
        card = voice.card
        made.add(
            voice.clip, id=voice.id, name=voice.name, description=voice.description, language=card.language,
            licence=card.licence, consent=card.consent, source=card.source,
        )  # fmt: skip
    return made


def milvus_killed(file: Path, dim: int) -> dict[str, Any]:
    """Kill a process that adds vectors, and count those that it had acknowledged."""
    adding = subprocess.Popen([sys.executable, "-c", ADDS, str(file), str(dim)], stdout=subprocess.PIPE, text=True)
    assert adding.stdout is not None
    acknowledged = -1
    while acknowledged < 50:
        acknowledged = int(adding.stdout.readline())
    adding.kill()
    acknowledged = max([acknowledged, *(int(line) for line in adding.stdout.read().split() if line.isdigit())])
    adding.wait()
    index = MilvusIndex(str(file), dim, collection="strangers")
    found = index.ids()
    index.close()
    kept = sum(number in found for number in range(acknowledged + 1))
    return {"voices acknowledged before Milvus was killed": acknowledged + 1, "of these, kept": kept}


def replica_killed(url: str, leader: int, voice: Any) -> dict[str, Any]:
    """Kill replicas one by one in the middle of an utterance, until it was the one that makes it."""
    remote = RemoteDecoder(url)
    stream = remote.stream(voice)
    stream.feed(np.arange(20))
    before = replica_pids(leader)
    failed, killed = "", 0
    for pid in before:
        os.kill(pid, signal.SIGKILL)
        killed += 1
        begun = time.monotonic()
        try:
            stream.feed(np.arange(60))
        except BackendError as error:
            failed = str(error)
            break
    told_s = time.monotonic() - begun
    begun = time.monotonic()
    until(lambda: _speaks(remote, voice), "another utterance")
    again_s = time.monotonic() - begun
    whole_s = until(lambda: len(set(replica_pids(leader)) - set(before)) >= 1 and len(replica_pids(leader)) == 2, "Ray")
    remote.close()
    return {
        "replicas": len(before),
        "of these, killed": killed,
        "utterance of a killed replica": failed,
        "told after (s)": round(told_s, 1),
        "next utterance made after (s)": round(again_s, 1),
        "all replicas back after (s)": round(again_s + whole_s, 1),
    }


def _speaks(remote: RemoteDecoder, voice: Any) -> bool:
    try:
        return remote.synthesize(np.arange(12), voice).duration > 0
    except BackendError:
        return False


async def conversation(python: str, folder: Path, checkpoint: Path, voices: Path, sound_url: str) -> dict[str, Any]:
    port = free_port()
    facts: dict[str, Any] = {}
    encoder = f"campplus:{checkpoint / 'token2wav'}"
    made = build(
        f"http://127.0.0.1:{port}/v1", sound_url, voices, encoder, str(folder / "voices.db"), embed=None,
        tokenizer=checkpoint, progress_timeout_s=120.0,
    )  # fmt: skip
    async with made as agent:
        session = agent.session()
        clip = next(iter(VoiceLibrary(voices))).clip
        search = agent.setup.resources.open()[1]
        assert search is not None
        match = await asyncio.to_thread(lambda: search.search(clip=clip, k=1))
        facts["voice found in Milvus by its clip"] = match[0].voice.id
        with vllm(python, checkpoint, port, folder / "vllm.log") as process:
            begun = time.monotonic()
            reply = await session.run(clip.slice(0, 2.0), voice=match[0].voice, options=OPTIONS)
            facts["first turn (s)"] = round(time.monotonic() - begun, 1)
            facts["sound of it (s)"] = 0.0 if reply.audio is None else round(reply.audio.duration, 2)
            facts["in the voice"] = None if reply.voice is None else reply.voice.id
            asked = asyncio.ensure_future(session.run("and now?", options=GenerateOptions(max_tokens=3000)))
            await asyncio.sleep(1.0)
            begun = time.monotonic()
            kill_group(process)
            try:
                await asked
                facts["answer of a killed vLLM"] = "came first"
            except BackendError as error:
                facts["answer of a killed vLLM"] = str(error)
            facts["told of it after (s)"] = round(time.monotonic() - begun, 1)
        kept = len(session.conversation.messages)
        with vllm(python, checkpoint, port, folder / "vllm.log"):
            await session.run("are you there?", options=OPTIONS)
        facts["messages before and after the next turn"] = [kept, len(session.conversation.messages)]
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vllm", required=True, metavar="PYTHON")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    facts: dict[str, Any] = {}

    def tell(more: dict[str, Any]) -> None:
        facts.update(more)
        for name, value in more.items():
            print(f"{name}: {value}", flush=True)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        checkpoint = init_tiny(folder / "checkpoint", dtype="float32", text=FOR_VLLM)
        encoder = load_encoder(f"campplus:{checkpoint / 'token2wav'}")
        voices = library(folder / "voices", encoder)
        tell(milvus_killed(folder / "strangers.db", encoder.dim))
        port = free_port()
        with sound(checkpoint, port, folder / "ray.log") as process:
            url = f"http://127.0.0.1:{port}"
            tell(replica_killed(url, process.pid, next(iter(voices))))
            tell(asyncio.run(conversation(given.vllm, folder, checkpoint, folder / "voices", url)))
    if given.json is not None:
        given.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
