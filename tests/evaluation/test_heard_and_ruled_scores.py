"""Answers that a judge hears, that have an emotion, and that follow instructions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.benchmarks import measured, sound, value

from agentaudio.conversation import AudioPart, Conversation, ToolSpec
from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmarks.uro_bench import BENCHMARK as URO
from agentaudio.evaluation.benchmarks.voicebench import BENCHMARK as VOICEBENCH
from agentaudio.evaluation.emotions import english
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import Scored, figures
from agentaudio.evaluation.scorers.emotional import Emotional
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.evaluation.scorers.instruction_rules import RULES, follows, variants
from agentaudio.evaluation.scorers.instructions import Instructions
from agentaudio.model.scripted import Scripted, StepFunction
from agentaudio.model.speech_lm import AudioDelta, Delta, ReferenceVoice, TextDelta
from agentaudio.sound.audio import Audio

CASES = json.loads((Path(__file__).parent / "vectors" / "ifeval_rules.json").read_text(encoding="utf-8"))["cases"]


def tone(seconds: float) -> Audio:
    times = np.arange(int(seconds * 16_000)) / 16_000
    return Audio((0.3 * np.sin(2 * np.pi * 220 * times)).astype(np.float32), 16_000)


def singer(seconds: float) -> Scripted:
    return Scripted([lambda conversation, tools, voice: [TextDelta("la la"), AudioDelta(tone(seconds))]])


def listener(votes: dict[float, str]) -> StepFunction:
    """A judge that votes by the length of what it hears."""

    def step(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        user = conversation.last_user
        assert user is not None
        (heard,) = [part.audio for part in user.parts if isinstance(part, AudioPart)]
        assert "to sing" in user.text and "Request: sing" in user.text
        return [TextDelta(votes[round(heard.duration, 1)])]

    return step


def songs(folder: Path, number: int = 2) -> Path:
    place = folder / "pro" / "SRT"
    rows = [{"id": n, "source_wav": f"{n}.wav", "source_text": "sing", "target_text": ""} for n in range(number)]
    for n in range(number):
        sound(place / f"{n}.wav")
    (place / "test.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


async def test_a_judge_that_hears_scores_songs_by_ear(tmp_path: Path) -> None:
    data = songs(tmp_path / "data")
    judge = Scripted([listener({0.4: "4"})])
    result = await measured(URO, data, tmp_path / "run", singer(0.4), judge=judge)
    assert (value(result, "points", "SRT-en"), result.scored) == (80.0, 2)
    # Another answer to the same request is another question to the judge: no vote is taken over.
    again = await measured(URO, data, tmp_path / "other", singer(0.6), judge=Scripted([listener({0.6: "1"})]))
    assert value(again, "points", "SRT-en") == 20.0


class Reader(Scripted):
    """A judge that takes no sound."""

    def __init__(self) -> None:
        super().__init__(["5"])
        self.capabilities = replace(self.capabilities, hears=False)


async def test_a_judge_that_does_not_hear_scores_no_song(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="nothing could be scored: 2 judge does not hear"):
        await measured(URO, songs(tmp_path / "data"), tmp_path / "run", singer(0.4), judge=Reader())


async def test_a_written_answer_to_a_request_for_a_song_has_no_score(tmp_path: Path) -> None:
    writer = Scripted([lambda conversation, tools, voice: [TextDelta("la")]])
    with pytest.raises(EvaluationError, match="nothing could be scored: 2 no sound"):
        await measured(URO, songs(tmp_path / "data"), tmp_path / "run", writer, judge=Scripted(["5"]))


async def test_an_emotion_needs_the_folder_of_its_model(tmp_path: Path) -> None:
    scorer = Emotional(ErrorRate("en", ("uro",)))
    item = Item("1", reference="good day", details={"emotion": "happy"})
    score = await scorer.score(item, Answer("good day", sounds=("a.wav",)), None)
    assert (score.value, score.problem) == (None, "no emotion model") and "--emotions" in score.why
    with pytest.raises(EvaluationError, match=r"has no config.yaml, model.pt, tokens.txt: it is not an emotion2vec"):
        answer = Answer("good day", sounds=(str(sound(tmp_path / "a.wav")),))
        await replace(scorer, folder=str(tmp_path)).score(item, answer, None)


def test_labels_of_emotions_are_read_in_english() -> None:
    assert [english(label) for label in ("开心/happy", "<unk>", "neutral")] == ["happy", "unk", "neutral"]


def test_the_rules_agree_with_those_that_are_published() -> None:
    wrong = []
    for case in CASES:
        strict = follows(case["rule"], case["text"], case["arguments"])
        loose = any(follows(case["rule"], form, case["arguments"]) for form in variants(case["text"]))
        if strict != case["strict"] or (case["loose"] is not None and loose != case["loose"]):
            wrong.append(case)
    assert not wrong
    assert len(CASES) >= 300 and {case["rule"] for case in CASES} == RULES.keys() - {
        "length_constraints:number_sentences", "change_case:capital_word_frequency",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "arguments", "text", "done"),
    [
        (
            "length_constraints:number_sentences",
            {"num_sentences": 2, "relation": "at least"},
            "Yes. It is 3.5 m.",
            True,
        ),
        ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "Dr. Who came.", True),
        ("length_constraints:number_sentences", {"num_sentences": 3, "relation": "at least"}, "One. Two.", False),
        (
            "change_case:capital_word_frequency",
            {"capital_frequency": 2.0, "capital_relation": "at least"},
            "It is a WELL-KNOWN FACT",
            True,
        ),
        ("change_case:capital_word_frequency", {"capital_frequency": 1, "capital_relation": "less than"}, "No", True),
        ("keywords:existence", {"keywords": ["a+b("]}, "so a+b( it is", True),
        ("punctuation:no_comma", {"num_words": None}, "none here", True),
        ("punctuation:no_comma", {}, " \n", False),
    ],
)
def test_the_rules_that_need_no_data_of_others(rule: str, arguments: dict[str, object], text: str, done: bool) -> None:
    assert follows(rule, text, arguments) is done


@pytest.mark.parametrize(
    ("rule", "arguments", "message"),
    [
        ("keywords:existance", {}, "there is no rule 'keywords:existance' in IFEval; .*keywords:existence"),
        ("keywords:existence", {}, "cannot use the arguments {}"),
        ("length_constraints:number_words", {"num_words": 3, "relation": "around"}, "unknown relation 'around'"),
        ("length_constraints:number_words", {"num_words": "many", "relation": "at least"}, "cannot use the arguments"),
    ],
)
def test_rules_that_cannot_be_used_are_errors(rule: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        follows(rule, "some text", arguments)


def asking(*instructions: tuple[str, dict[str, object]]) -> Item:
    rules = [{"rule": name, "arguments": arguments} for name, arguments in instructions]
    return Item("1", group="ifeval", details={"kind": "ifeval", "instructions": rules})


async def test_the_figure_of_ifeval_is_the_mean_of_its_four_accuracies() -> None:
    no_comma: tuple[str, dict[str, object]] = ("punctuation:no_comma", {})
    title: tuple[str, dict[str, object]] = ("detectable_format:title", {})
    asked = [
        (asking(no_comma), "none"),  # followed
        (asking(no_comma, title), "none"),  # one of two
        (asking(no_comma), "Sure, of course:\nnone"),  # loosely, without its first line
    ]
    expected = {"strict prompts": 1 / 3, "strict instructions": 2 / 4, "loose prompts": 2 / 3,
                "loose instructions": 3 / 4}  # fmt: skip
    for scorer in (Instructions(), VOICEBENCH.scorer):
        scored = [Scored(await scorer.score(item, Answer(text), None), "ifeval") for item, text in asked]
        found = {one.name.rpartition("IFEval ")[2]: one.value for one in figures(scored, scorer.measures)}
        for name, share in expected.items():
            assert found[name] == pytest.approx(100 * share)
        headline = figures(scored, scorer.measures)[0]
        assert headline.value == pytest.approx(100 * sum(expected.values()) / 4)


async def test_points_of_all_sets_weigh_each_kind_by_its_items() -> None:
    scorer = VOICEBENCH.scorer
    letter = Item("2", reference="A", group="mmsu", details={"kind": "letter"})
    scored = [
        Scored(await scorer.score(asking(("punctuation:no_comma", {})), Answer("none"), None), "ifeval"),
        Scored(await scorer.score(letter, Answer("B"), None), "mmsu"),
        Scored(await scorer.score(letter, Answer("A."), None), "mmsu"),
        Scored(await scorer.score(letter, Answer("C"), None), "mmsu"),
    ]
    points = {one.group: one.value for one in figures(scored, scorer.measures) if one.name == "points"}
    assert points == pytest.approx({"ifeval": 100.0, "mmsu": 100 / 3, "": 50.0})


def test_a_row_without_its_rules_is_refused(tmp_path: Path) -> None:
    read: Callable[[Path], object] = lambda folder: list(VOICEBENCH.read(folder))  # noqa: E731
    sound(tmp_path / "ifeval" / "a.wav")
    (tmp_path / "ifeval" / "metadata.jsonl").write_text('{"audio": "a.wav", "prompt": "p"}', encoding="utf-8")
    with pytest.raises(EvaluationError, match="no instruction_id_list and kwargs of the same length"):
        read(tmp_path)
