"""Golden numbers of a small model: encoder output with padding, logits, and a greedy answer.

The weights come from NumPy's generator, whose stream is stable. The numbers were written by
`PYTHONPATH=.:tests python tests/model/step_audio_2/test_golden.py` when the same code passed the reference's
vectors (tests/parity), which are too large to keep here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_tiny import fresh, mel, prompt, said  # noqa: E402

GOLDEN = Path(__file__).parent / "data" / "golden.json"


def seeded() -> Any:
    """A model whose weights do not depend on torch's generator."""
    model = fresh()
    random = np.random.default_rng(7)
    weights = {}
    for name, value in sorted(model.state_dict().items()):
        noise = random.standard_normal(value.shape, np.float32)
        shift = 1.0 if "norm" in name or "_ln" in name else 0.0
        weights[name] = torch.from_numpy(noise * (0.1 if value.ndim == 1 else 0.4) + np.float32(shift))
    model.load_state_dict(weights)
    return model


def numbers() -> dict[str, Any]:
    model = seeded()
    # Three pieces in one batch, so that every quirk shows: an even padded length, an odd count of frames, no tokens.
    inputs = prompt("hello ", mel(9000, 1), mel(4321, 2), mel(100, 3), " and so on\n")
    with torch.no_grad():
        heard = model.encode_audio(inputs["input_features"], inputs["feature_lengths"])
        logits = model(**inputs).logits[0]
    last = logits[-1].topk(5)
    return {
        "rows_of_pieces": [len(rows) for rows in heard],
        "last_rows": [rows[-1, :8].tolist() for rows in heard if len(rows)],
        "top_ids": last.indices.tolist(),
        "top_logits": last.values.tolist(),
        "mean_logits": logits.mean(-1).tolist(),
        "answer": said(model, inputs, 16)[0],
        "beams": said(model, inputs, 8, num_beams=2)[0],
    }


def test_numbers_stay_what_they_were() -> None:
    expected, found = json.loads(GOLDEN.read_text()), numbers()
    for name in ("rows_of_pieces", "top_ids", "answer", "beams"):
        assert found[name] == expected[name], name
    for name in ("last_rows", "top_logits", "mean_logits"):
        np.testing.assert_allclose(found[name], expected[name], atol=5e-4, rtol=1e-4, err_msg=name)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(numbers(), indent=1) + "\n")
