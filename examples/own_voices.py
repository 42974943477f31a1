"""Create a voice library with consent, and let an agent speak in one of its voices.

python examples/own_voices.py CLIP.wav FOLDER
"""

import sys

from agentaudio import Agent, Audio, VoiceLibrary
from agentaudio.voice_library.voice import Consent


def main(clip: str, folder: str) -> None:
    library = VoiceLibrary.create(folder)
    library.add(
        Audio.load(clip),
        id="ann",
        name="Ann",
        description="A friendly woman who speaks clearly.",
        language="en-GB",
        gender="female",
        licence="LicenseRef-private",
        consent=Consent(basis="speaker", holder="Ann Example", scope=("synthesis",), evidence="signed form"),
    )
    agent = Agent("embedded", tools=["audio_search"], voices=library)
    reply = agent.run_sync("please speak like a friendly woman")
    print(reply.voice, "says:", reply.text)


if __name__ == "__main__":
    main(*sys.argv[1:3])
