"""Tests that every speech model and every synthesiser passes, for backends of your own.

See `ModelContract` and `SynthesiserContract`.
"""

from agentaudio.testing.contract import ModelContract
from agentaudio.testing.stage import Answer, Stage
from agentaudio.testing.synthesiser_contract import SynthesiserContract

__all__ = ["Answer", "ModelContract", "Stage", "SynthesiserContract"]
