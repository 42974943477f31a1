"""A session of several turns: change the voice on request, and change it back.

python examples/voice_switch.py

Any model will do: --model openai:gpt-audio --option voice=ash
"""

import argparse
import asyncio

from agentaudio import Agent, events, load_model


async def main() -> None:
    parser = argparse.ArgumentParser(description="Ask for a voice, for something else, and for the first voice again.")
    parser.add_argument("--model", default="embedded", help="any model of `agentaudio models list`")
    parser.add_argument("--option", action="append", default=[], help="an option of the model, as NAME=VALUE")
    given = parser.parse_args()
    model = load_model(given.model, **dict(option.split("=", 1) for option in given.option))
    async with Agent(model, tools=["search_documents", "audio_search"], documents="demo", voices="demo") as agent:
        session = agent.session()
        for said in (
            "please answer in the voice of a little girl",
            "tell me about the great wall of china",
            "go back to your own voice",
        ):
            print("you:  ", said)
            async for event in session.stream(said):
                match event:
                    case events.VoiceChanged(voice=voice):
                        print("voice:", voice.name if voice else "its own")
                    case events.TurnFinished(reply=reply):
                        print("agent:", reply.text)


if __name__ == "__main__":
    asyncio.run(main())
