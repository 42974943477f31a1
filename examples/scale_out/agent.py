"""An agent whose tokens come from vLLM, whose sound comes from token2wav elsewhere, and whose voices are in Milvus.

    python examples/scale_out/agent.py question.wav --tokens http://gpu:8000/v1 --sound http://ray:8200 \\
        --voices my-voices --encoder campplus:Step-Audio-2-mini/token2wav --milvus http://milvus:19530 --out answer.wav

Processes like this one hold the conversations and nothing else, so that any number of them can run.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from agentaudio import Agent, VoiceLibrary, load_model
from agentaudio.retrieval.vectors.milvus import MilvusIndex
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.voice_library.encoders import load_encoder


def build(
    tokens: str,
    sound: str,
    voices: Path,
    encoder: str,
    milvus: str,
    *,
    embed: str | None = "default",
    **options: Any,
) -> Agent:
    """The agent.

    tokens, sound, milvus: addresses of vLLM, of token2wav and of Milvus; for Milvus, also a file ending in .db
    voices: folder of a voice library, whose speaker embeddings are in Milvus
    encoder: that made those embeddings
    embed: text embedder of the search by words; None searches by words alone
    options: further ones of the model `step-audio-2`
    """
    model = load_model("step-audio-2", base_url=tokens, token2wav=sound, dialect="vllm", **options)
    speaks = load_encoder(encoder)
    search = VoiceSearch(
        VoiceLibrary(voices, encoder=speaks), embed=embed, encoder=speaks, speakers=MilvusIndex(milvus, speaks.dim)
    )
    return Agent(model, tools=["audio_search"], voices=search)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", type=Path)
    for option in ("--tokens", "--sound", "--encoder", "--milvus"):
        parser.add_argument(option, required=True)
    parser.add_argument("--voices", type=Path, required=True)
    parser.add_argument("--voice", help="id or name of the voice to answer in")
    parser.add_argument("--out", type=Path, default=Path("answer.wav"))
    given = parser.parse_args()
    async with build(given.tokens, given.sound, given.voices, given.encoder, given.milvus) as agent:
        reply = await agent.run(given.question, voice=given.voice)
        print(reply.text)
        if reply.audio is not None:
            reply.audio.save(given.out)


if __name__ == "__main__":
    asyncio.run(main())
