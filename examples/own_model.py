"""A model of your own in the loop. This one repeats the user's words as text.

    python examples/own_model.py

A package makes such a model available by name through the entry point group `agentaudio.models`.
"""

from collections.abc import AsyncGenerator, Sequence

from agentaudio import Agent, Conversation, GenerateOptions
from agentaudio.conversation import ToolSpec
from agentaudio.model.speech_lm import Capabilities, Delta, End, ReferenceVoice, TextDelta


class Parrot:
    """A SpeechLM: a name, capabilities, `generate`, `warm_up` and `aclose`."""

    name = "parrot"
    capabilities = Capabilities(hears=False, voices="none", calls_tools=False)

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        said = conversation.last_user
        yield TextDelta(f"You said: {said.text if said else 'nothing'}")
        yield End()

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        pass

    async def aclose(self) -> None:
        pass


if __name__ == "__main__":
    print(Agent(Parrot()).run_sync("hello").text)
