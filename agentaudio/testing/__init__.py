"""Tests that every speech model passes, for backends of your own; see `ModelContract`."""

from agentaudio.testing.contract import ModelContract
from agentaudio.testing.stage import Answer, Stage

__all__ = ["Answer", "ModelContract", "Stage"]
