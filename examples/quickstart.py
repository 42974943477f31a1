"""Ask a spoken question, let the agent call your own tool, and save the spoken answer.

python examples/quickstart.py [QUESTION.wav] [ANSWER.wav]
"""

import sys
from pathlib import Path

from agentaudio import Agent, tool


@tool
def opening_hours(museum: str) -> str:
    """When a museum is open today."""
    return f"The {museum} is open from nine to five."


def main(question: str = "", answer: str = "answer.wav") -> None:
    agent = Agent(
        "embedded", tools=["search_documents", "audio_search", opening_hours], documents="demo", voices="demo"
    )
    # A str is always text; sound is a Path, bytes, a file or an Audio.
    reply = agent.run_sync(Path(question) if question else "when is the national museum open today")
    print("heard:    ", reply.heard)
    print("answer:   ", reply.text)
    print("voice:    ", reply.voice)
    print("tools:    ", [run.call.name for run in reply.tool_calls])
    print("citations:", [citation.source for citation in reply.citations])
    if reply.audio is not None:
        print("saved:    ", reply.save(answer))


if __name__ == "__main__":
    main(*sys.argv[1:3])
