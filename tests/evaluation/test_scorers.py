"""Scorers: choices by MMAU's rule, BLEU, judged answers, sets of URO-Bench."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
from support.benchmarks import Answering, measured, sound, value

from agentaudio.evaluation.benchmarks.big_bench_audio import BENCHMARK as BIG_BENCH_AUDIO
from agentaudio.evaluation.benchmarks.uro_bench import BENCHMARK as URO
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Scored, figures, mean_of_groups, ratio, wilson
from agentaudio.evaluation.scorer import Vote
from agentaudio.evaluation.scorers.bleu import Bleu
from agentaudio.evaluation.scorers.choice import WordChoice, is_right
from agentaudio.evaluation.scorers.judged import CORRECT, YES_NO, Judged, filled
from agentaudio.evaluation.scorers.kinds import Letter
from agentaudio.evaluation.scorers.one_of_two import OneOfTwo
from agentaudio.evaluation.scorers.refusal import PHRASES, Refuses
from agentaudio.model.scripted import Scripted

CHOICES = ("a dog barks", "a cat", "rain on a roof", "Dog")


def official(answer: str, reply: str, choices: tuple[str, ...]) -> bool:
    """MMAU's rule, written down once more from its description, letter by letter."""

    def cut(text: str) -> set[str]:
        return set("".join(c if c.isalnum() or c == "_" else " " for c in text.lower()).split())

    said, wanted = cut(reply), cut(answer)
    if not said:
        return False
    others: set[str] = set()
    for choice in choices:
        if cut(choice) != wanted:
            others |= cut(choice) - wanted
    return all(word in said for word in wanted) and not any(word in others for word in said)


def test_mmau_is_scored_as_officially_for_all_replies_of_up_to_three_words() -> None:
    words = ["a", "dog", "barks", "cat", "rain", "on", "roof", "The", "(A)", "Dog,", ""]
    tried = 0
    for answer in CHOICES:
        for reply in map(" ".join, itertools.product(words, repeat=3)):
            assert is_right(answer, reply, CHOICES) == official(answer, reply, CHOICES), (answer, reply)
            tried += 1
    assert tried == 4 * 11**3


async def test_only_the_text_in_the_response_tag_is_read() -> None:
    item = Item("1", reference="a cat", details={"choices": CHOICES})
    said = "It might be a dog that barks. <RESPONSE>A cat.</RESPONSE>"
    assert (await WordChoice().score(item, Answer(said), None)).value == 1.0
    assert (await WordChoice().score(item, Answer("It might be a dog; it is a cat"), None)).value == 0.0
    assert (await WordChoice().score(item, Answer(""), None)).value == 0.0


@pytest.mark.parametrize(("tokenize", "language"), [("13a", "en"), ("zh", "zh")])
async def test_bleu_of_the_corpus_is_that_of_sacrebleu(tokenize: str, language: str) -> None:
    pairs = {
        "13a": [("The cat sat on the mat, and slept.", "The cat sat on a mat and slept."), ("Good night!", "Good day!"),
                ("He paid $3.50 for it.", "He paid 3.50 dollars."), ("Nothing to say at all", "")],
        "zh": [("今天天气很好，我们去公园吧。", "今天天气不错，我们去公园。"), ("晚安！", "晚安"), ("我爱你", "")],
    }[tokenize]  # fmt: skip
    scorer = Bleu(language, tokenize, ("none",))
    scored = [Scored(await scorer.score(Item("1", reference=ref), Answer(hyp), None)) for ref, hyp in pairs]
    expected = sacrebleu.corpus_bleu([hyp for _, hyp in pairs], [[ref for ref, _ in pairs]], tokenize=tokenize)
    (figure,) = figures(scored, scorer.measures)
    assert figure.value == pytest.approx(expected.score, abs=1e-9)
    assert figure.low is not None and figure.high is not None and figure.low <= figure.value <= figure.high


def test_the_intervals_of_shares_are_wilsons() -> None:
    # 50 items at 80 %, 550 at 80 %, 200 at 95.5 %, 1000 at 54.8 %
    for right, number, low, high in ((40, 50, 67, 89), (440, 550, 76.5, 83.1), (191, 200, 91.7, 97.6),
                                     (548, 1000, 51.7, 57.9)):  # fmt: skip
        found = wilson(right, number)
        assert found[0] == pytest.approx(low, abs=0.51 if low == 67 else 0.06)
        assert found[1] == pytest.approx(high, abs=0.51 if high == 89 else 0.06)


def scored_shares(rows: Sequence[tuple[float, float]], cluster: str = "") -> list[Scored]:
    return [
        Scored(ItemScore(1.0, {"right": right, "asked": asked}), cluster=cluster and f"{cluster}{number // 2}")
        for number, (right, asked) in enumerate(rows)
    ]


def test_no_share_is_certain_however_its_items_are_counted() -> None:
    share = ratio("share", "right", "asked", binary=True)
    # Items that are not asked say nothing: 10 of 10, and not of 30.
    (figure,) = figures(scored_shares([(1, 1)] * 10 + [(0, 0)] * 20), [share])
    assert (figure.low, figure.high) == pytest.approx(wilson(10, 10)) and figure.low is not None and figure.low < 73
    # Several votes of an item, and items of one cluster, are not independent: 10 clusters.
    for rows, cluster in (([(3, 3)] * 10, ""), ([(1, 1)] * 20, "dialogue ")):
        (figure,) = figures(scored_shares(rows, cluster), [share])
        assert (figure.low, figure.high) == pytest.approx(wilson(10, 10))
    (figure,) = figures(scored_shares([(3, 3)] * 9 + [(0, 3)]), [share])
    assert figure.low is not None and figure.high is not None and figure.low < 90 < figure.high <= 100


def test_items_that_are_all_alike_give_a_rate_no_interval() -> None:
    rate = ratio("rate", "right", "asked")
    for rows, wanted in (([(0, 4), (0, 7)], 0.0), ([(0.1, 1), (0.7, 7), (1.3, 13)], 10.0)):
        (figure,) = figures(scored_shares(rows), [rate])
        assert figure.value == pytest.approx(wanted) and (figure.low, figure.high) == (None, None)
        assert not figure.holds(wanted)


def test_what_has_nothing_to_be_divided_by_has_no_figure() -> None:
    rate = ratio("rate", "right", "asked")
    rows = [Scored(ItemScore(1.0, {"right": 1, "asked": asked}), "ab"[number]) for number, asked in enumerate((0, 2))]
    assert [(one.group, one.value) for one in figures(rows, [rate])] == [("b", 50.0), ("", 100.0)]
    assert figures(rows[:1], [rate]) == []
    assert mean_of_groups(rows, rate, "mean") is None and mean_of_groups(rows, rate, "mean", ["b"]) is not None


def judge_of(replies: list[str | None]) -> Callable[..., object]:
    async def ask(
        prompt: str, number: int, parse: Callable[[str], float | None], *, sounds: Sequence[str] = ()
    ) -> Vote:
        reply = replies[number]
        return Vote(None, "no connection", failed=True) if reply is None else Vote(parse(reply), reply)

    return ask


async def test_votes_that_fail_or_cannot_be_read_are_counted_and_not_scored() -> None:
    scorer = Judged("{question}", CORRECT, votes=3)
    item, answer = Item("1", reference="x"), Answer("y")
    score = await scorer.score(item, answer, judge_of(["CORRECT", "hm", None]))  # type: ignore[arg-type]
    assert (score.value, score.counts["unparsed"], score.counts["failed"]) == (1.0, 1, 1)
    score = await scorer.score(item, answer, judge_of(["hm", "", "?"]))  # type: ignore[arg-type]
    assert (score.value, score.problem) == (None, "unparsed")
    score = await scorer.score(item, answer, judge_of([None, None, None]))  # type: ignore[arg-type]
    assert (score.value, score.problem) == (None, "judge failed")
    score = await scorer.score(item, Answer(" "), judge_of([]))  # type: ignore[arg-type]
    assert score.value == 0.0


def test_braces_in_answers_are_not_filled_in() -> None:
    item = Item("1", reference="{answer}", details={"question": "{reference} {unknown}"})
    assert filled("{question}|{reference}|{answer}|{other}", item, Answer("{question}")) == (
        "{reference} {unknown}|{answer}|{question}|{other}"
    )


def big_bench(folder: Path, number: int) -> Path:
    rows = [{"id": n, "category": "navigate", "official_answer": "Yes", "file_name": f"{n}.wav"} for n in range(number)]
    folder.mkdir()
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for n in range(number):
        sound(folder / f"{n}.wav", (n + 1) / 10)
    return folder


async def test_a_judge_that_answers_rubbish_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    data = big_bench(tmp_path / "data", 3)
    model = Answering(lambda seconds: f"answer {seconds}")

    def verdict(conversation: object, tools: object, voice: object) -> list[object]:
        from agentaudio.model.speech_lm import TextDelta

        text = conversation.messages[-1].text  # type: ignore[attr-defined]
        return [TextDelta("CORRECT" if "0.1" in text else "INCORRECT" if "0.2" in text else "It depends.")]

    result = await measured(BIG_BENCH_AUDIO, data, tmp_path / "run", model, judge=Scripted([verdict]))  # type: ignore[list-item]
    assert (value(result, "accuracy"), result.listed) == (50.0, {"unparsed": ["2"]})
    result = await measured(BIG_BENCH_AUDIO, data, tmp_path / "run", model, judge=Scripted(["CORRECT"]))
    assert model.asked == 3  # the answers were kept, and so were the two verdicts
    assert (value(result, "accuracy"), result.problems) == (66.67, {})


async def test_uro_bench_repeat_is_the_share_of_close_answers_times_one_less_their_mean_rate() -> None:
    scorer = URO.scorer
    scored = []
    said = {"red blue green pink": "red blue green pink", "an old brown dog": "an old brown cat", "no": "yes"}
    for reference, text in said.items():
        item = Item(reference, reference=reference, group="Repeat", details={"kind": "wer-en"})
        scored.append(Scored(await scorer.score(item, Answer(text), None), "Repeat"))
    share, mean_rate = 2 / 3, (0 + 0.25) / 2
    assert figures(scored, scorer.measures)[0].value == pytest.approx(100 * share * (1 - mean_rate))


async def test_sets_without_a_scorer_are_listed_and_an_average_needs_all_of_its_sets() -> None:
    score = await URO.scorer.score(Item("1", details={"kind": "new"}), Answer("la la"), None)
    assert (score.value, score.problem) == (None, "no scorer") and "'new'" in score.why
    assert (
        mean_of_groups([Scored(score, "SRT-en")], URO.scorer.measures[0], "en pro O", ("SRT-en", "Multilingual"))
        is None
    )


@pytest.mark.parametrize(
    ("text", "right"),
    [("B", 1), ("The answer is B.", 1), ("B. a cat", 1), ("(B)", 1), ("A cat is it, so B", 1), ("A or B", 0), ("", 0),
     ("I think it is a bee", 0), ("The answer is option A", 0), ("Answer: B, not C", 1),
     ("so the answer is b", 1), ("The answer is B; option A is not.", 1), ("b", 1), ("(b) a cat", 1),
     ("The answer is a.", 0), ("The answer is a bit of B", 1)],
)  # fmt: skip
async def test_a_letter_is_read_and_never_guessed(text: str, right: int) -> None:
    assert (await Letter("ABCD").score(Item("1", reference="B"), Answer(text), None)).value == right


# What VoiceBench's own rules say of these answers, but for those that they read by chance.
TWO = [
    ("Yes", "The answer is yes.", 1), ("Yes", "The answer is no, yes it is.", 0), ("No", "No, you do not.", 1),
    ("No", "Let me see. Forward, back. So no", 1), ("Yes", "After the turns, you return to the starting point.", 1),
    ("No", "You do not return to the starting point.", 1), ("Yes", "You end up right back where you started.", 1),
    ("No", "Considering this, the sentence is not plausible.", 1), ("Yes", "The sentence is plausible.", 1),
    ("No", "It is an implausible statement.", 1), ("No", "Ka says Delbert lies. So Ka doesn’t tell the truth.", 1),
    ("Yes", "Fidel lies, so Jerry tells the truth.", 1), ("No", "Therefore Jerry lies.", 1),
    ("Yes", "The final answer: **True**", 1), ("No", "I do not know.", 0),
    ("No", "", 0), ("Yes", "Nobody knows.", 0), ("Yes", "I know nothing about yesterday.", 0),
    ("(A)", "The answer is (A)", 1), ("(B)", "The correct sentence is option (B).", 1), ("(B)", "Option (A) is it.", 0),
    ("(A)", "a) big old red car", 1), ("(B)", "The second option has the right order.", 1), ("(A)", "It is a car.", 0),
]  # fmt: skip


@pytest.mark.parametrize(("reference", "text", "right"), TWO)
async def test_yes_or_no_and_options_are_read_by_rule(reference: str, text: str, right: int) -> None:
    assert (await OneOfTwo().score(Item("1", reference=reference), Answer(text), None)).value == right


@pytest.mark.parametrize(
    ("text", "right"),
    [("I’m sorry, no.", 1), ("I can't do that.", 1), ("That is illegal.", 1), (" ", 1), ("这是违法的", 1),
     ("i cannot", 0), ("I’d not", 0), ("Sure, here is how.", 0), ("First, I cannot stress enough", 1)],
)  # fmt: skip
async def test_refusals_are_the_phrases_that_voicebench_names(text: str, right: int) -> None:
    assert (await Refuses().score(Item("1"), Answer(text), None)).value == right


def test_no_phrase_of_a_refusal_is_part_of_another() -> None:
    assert not [(one, other) for one in PHRASES for other in PHRASES if one != other and other.startswith(one)]


@pytest.mark.parametrize(("votes", "points"), [("yyn", 100.0), ("ynn", 0.0), ("yn?", 0.0), ("y??", 100.0)])
async def test_a_majority_of_votes_decides(votes: str, points: float) -> None:
    replies = iter({"y": "Yes", "n": "No", "?": "who knows"}[one] for one in votes)

    async def ask(prompt: str, number: int, parse: Any, *, sounds: Any = ()) -> Vote:
        reply = next(replies)
        return Vote(parse(reply), reply)

    scorer = Judged("", YES_NO, votes=3, majority=True)
    score = await scorer.score(Item("1"), Answer("words"), ask)
    assert figures([Scored(score)], scorer.measures)[0].value == points
