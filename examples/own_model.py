"""Any model can drive the loop: this one repeats what it was told, in writing.

    python examples/own_model.py

A package offers such a model by name through the entry point group `agentaudio.models`.
"""

from collections.abc import AsyncGenerator, Sequence

from agentaudio import Agent, Conversation, GenerateOptions
from agentaudio.conversation import ToolSpec
from agentaudio.model.speech_lm import Capabilities, Delta, End, ReferenceVoice, TextDelta


class Parrot:
    """A SpeechLM: it needs a name, capabilities, and `generate`."""

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
