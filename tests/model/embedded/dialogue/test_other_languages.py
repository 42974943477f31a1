"""What is written in another language is named and declined, and English with foreign names is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("py3langid", reason="the extra embedded is not installed")

from agentaudio import Agent  # noqa: E402
from agentaudio.model.cascade.cascade import Cascade  # noqa: E402
from agentaudio.model.embedded.dialogue.languages import CHINESE, SURE, declined  # noqa: E402
from agentaudio.model.registry import load_chat_model  # noqa: E402

BENCHMARKS = Path(__file__).parents[4] / "benchmarks"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Wo ist der nächste Bahnhof?", "German"), ("Où se trouve la gare la plus proche ?", "French"),
        ("¿Dónde está la estación más cercana?", "Spanish"), ("Dov'è la stazione più vicina?", "Italian"),
        ("Onde fica a estação mais próxima?", "Portuguese"), ("Waar is het dichtstbijzijnde station?", "Dutch"),
        ("Gdzie jest najbliższy dworzec?", "Polish"), ("Var ligger närmaste station?", "Swedish"),
        ("En yakın istasyon nerede?", "Turkish"), ("Missä on lähin asema?", "Finnish"),
        ("Где ближайшая станция?", "Russian"), ("一番近い駅はどこですか", "Japanese"),
    ],
)  # fmt: skip
def test_a_written_request_is_declined_before_it_is_taken_for_english(text: str, name: str) -> None:
    assert f"I think that was {name}." in (declined(text, None) or "")


@pytest.mark.parametrize(
    "text",
    [
        "tell me about Don Quijote de la Mancha", "weather in São Paulo", "table at Ristorante da Mario",
        "navigate to Champs-Élysées", "Sagrada Familia architect", "what does buenos días mean", "call Jürgen Müller",
        "Münster opening hours", "how do you say danke", "Notre Dame de Paris height",
    ],
)  # fmt: skip
def test_english_with_foreign_names_is_never_declined_before_it_is_tried(text: str) -> None:
    assert declined(text, None, least=SURE) is None


def test_no_english_request_of_the_benchmarks_is_declined_before_it_is_tried() -> None:
    lines = [
        line
        for path in [*(BENCHMARKS / "requests").glob("*.jsonl"), *(BENCHMARKS / "exchanges").glob("*.jsonl")]
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    items = [json.loads(line) for line in lines]
    said = [text for item in items for text in ([item["text"]] if "text" in item else _said(item))]
    assert len(said) > 500
    assert [text for text in said if text.isascii() and declined(text, None, least=SURE)] == []


def _said(exchange: dict[str, list[dict[str, str]]]) -> list[str]:
    return [turn["say"] for turn in exchange["turns"]]


async def test_no_tool_runs_for_a_request_that_is_not_understood() -> None:
    agent = Agent(Cascade(None, load_chat_model("router"), None), tools=["search_documents"], documents="demo")
    async with agent:
        assert (await agent.run("请告诉我长城有多长")).text == CHINESE
        reply = await agent.run("Was ist zwölf mal sieben?")
    assert reply.tool_calls == () and reply.text.startswith("I think that was German.")
