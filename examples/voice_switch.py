"""A session of several turns: change the voice on request, and change it back.

python examples/voice_switch.py
"""

import asyncio

from agentaudio import Agent, events


async def main() -> None:
    async with Agent("embedded", tools=["search_documents", "audio_search"], documents="demo", voices="demo") as agent:
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
