"""Tests that every speech model and every synthesiser passes, for backends of your own.

See `ModelContract` and `SynthesiserContract`.
"""

import contextlib

with contextlib.suppress(ImportError):
    # Makes a failing assertion show its values, as it does in the test modules of whoever subclasses these.
    import pytest

    pytest.register_assert_rewrite("agentaudio.testing.contract", "agentaudio.testing.synthesiser_contract")

from agentaudio.testing.contract import ModelContract  # noqa: E402
from agentaudio.testing.stage import Answer, Stage  # noqa: E402
from agentaudio.testing.synthesiser_contract import SynthesiserContract  # noqa: E402

__all__ = ["Answer", "ModelContract", "Stage", "SynthesiserContract"]
