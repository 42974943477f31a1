"""A run of a benchmark: what is asked, kept, scored and refused."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log_async, read_eval_log_sample_summaries_async
from support.benchmarks import Answering, librispeech, measured, sound, value

from agentaudio.conversation import Conversation
from agentaudio.errors import AudioError, BackendError, EvaluationError
from agentaudio.evaluation import logs
from agentaudio.evaluation.benchmarks.big_bench_audio import BENCHMARK as BIG_BENCH_AUDIO
from agentaudio.evaluation.benchmarks.librispeech import BENCHMARK as LIBRISPEECH
from agentaudio.evaluation.benchmarks.seed_tts_eval import ENGLISH as CLONING
from agentaudio.evaluation.result import load_result
from agentaudio.evaluation.run import Settings, take_answers
from agentaudio.model.parts import Recognition
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta
from agentaudio.sound.audio import Audio

WORDS = {"1-2-0000": "HE SAT DOWN", "1-2-0001": "AND THEN HE SANG A SONG", "1-3-0000": "GOOD NIGHT"}


def said(seconds: float) -> str:
    """Two words wrong of eleven: one replaced, one missing."""
    return {0.1: "he sat down", 0.2: "and then he rang a", 0.3: "good night"}[seconds]


async def test_the_rate_of_the_corpus_and_the_mean_of_the_rates_are_two_figures(tmp_path: Path) -> None:
    result = await measured(LIBRISPEECH, librispeech(tmp_path / "data", WORDS), tmp_path / "run", Answering(said))
    assert value(result, "WER (kits)") == round(100 * 2 / 11, 2)
    assert value(result, "mean WER (kits)") == round(100 * (0 + 2 / 6 + 0) / 3, 2)
    assert (result.items, result.scored, dict(result.problems)) == (3, 3, {})
    assert load_result(tmp_path / "run").figures == result.figures


async def test_a_finished_run_asks_nothing_again(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    await measured(LIBRISPEECH, data, tmp_path / "run", Answering(said))
    again = Answering(lambda seconds: "no")
    result = await measured(LIBRISPEECH, data, tmp_path / "run", again)
    assert again.asked == 0 and value(result, "WER (kits)") == round(100 * 2 / 11, 2)


async def test_items_on_which_the_model_fails_are_listed_and_asked_again(tmp_path: Path) -> None:
    def fails(seconds: float) -> str:
        if seconds == 0.2:
            raise BackendError("out of memory")
        return said(seconds)

    data = librispeech(tmp_path / "data", WORDS)
    result = await measured(LIBRISPEECH, data, tmp_path / "run", Answering(fails))
    assert result.listed == {"failed": ["1-2-0001"]} and result.scored == 2
    mended = Answering(said)
    result = await measured(LIBRISPEECH, data, tmp_path / "run", mended)
    assert (mended.asked, result.scored, result.problems) == (1, 3, {})


async def test_a_model_that_keeps_failing_ends_the_run_and_keeps_what_was_finished(tmp_path: Path) -> None:
    def fails(seconds: float) -> str:
        if seconds > 0.1:
            raise BackendError("the server is down")
        return "one"

    data = librispeech(tmp_path / "data", {f"1-2-{number:04}": "ONE" for number in range(12)})
    model = Answering(fails)
    with pytest.raises(EvaluationError, match="failed 10 times in a row, at last with: the server is down"):
        await measured(LIBRISPEECH, data, tmp_path / "run", model, parallel=1)
    assert model.asked == 11
    assert len((tmp_path / "run" / "answers.jsonl").read_text().splitlines()) == 1


async def test_a_judge_that_keeps_failing_ends_the_run_and_keeps_the_answers(tmp_path: Path) -> None:
    def judged(conversation: Conversation, *_: object) -> Iterator[Delta]:
        raise BackendError("no judge at this address")
        yield

    data = tmp_path / "data"
    rows = [{"id": n, "category": "navigate", "official_answer": "Yes", "file_name": f"{n}.wav"} for n in range(30)]
    for n in range(30):
        sound(data / f"{n}.wav")
    (data / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    model, judge = Scripted(["Yes."]), Scripted([judged])
    with pytest.raises(
        EvaluationError, match="the judge failed 10 times in a row, at last with: no judge at this addr"
    ):
        await measured(BIG_BENCH_AUDIO, data, tmp_path / "run", model, judge=judge, parallel=1)
    kept = (tmp_path / "run" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(kept) == 10, "the answers are kept, and no more are asked for"
    (path,) = (tmp_path / "run").rglob("*.eval")
    errors = [sample.error for sample in (await read_eval_log_async(str(path))).samples or ()]
    assert len({error.traceback for error in errors[-19:] if error}) == 1, "no error shows where others were raised"
    found = await measured(BIG_BENCH_AUDIO, data, tmp_path / "run", model, judge=Scripted(["CORRECT"]))
    assert (found.scored, found.figures[0].value) == (30, 100.0)


async def test_a_broken_clip_is_listed_and_not_scored(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    (data / "test-clean/1/3/1-3-0000.flac").write_bytes(b"not a sound")
    result = await measured(LIBRISPEECH, data, tmp_path / "run", Answering(said))
    assert result.listed == {"broken clip": ["1-3-0000"]}
    assert value(result, "WER (kits)") == round(100 * 2 / 9, 2)


async def test_a_spoken_answer_that_cannot_be_written_is_asked_again(tmp_path: Path) -> None:
    data, run, judge = tmp_path / "data", tmp_path / "run", Scripted(["CORRECT"])
    rows = [{"id": n, "category": "navigate", "official_answer": "Yes", "file_name": f"{n}.wav"} for n in range(3)]
    for n in range(3):
        sound(data / f"{n}.wav")
    (data / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run.mkdir()
    (run / "sounds").write_text("a file where the folder must be", encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"cannot write \S*/sounds/.*; what was finished before is kept"):
        await measured(BIG_BENCH_AUDIO, data, run, Scripted(["Yes."]), judge=judge, parallel=1)
    assert (run / "answers.jsonl").read_text(encoding="utf-8") == ""
    (run / "sounds").unlink()
    assert (await measured(BIG_BENCH_AUDIO, data, run, Scripted(["Yes."]), judge=judge)).scored == 3


async def test_a_sound_that_a_model_cannot_use_is_a_failure_of_the_model(tmp_path: Path) -> None:
    def fails(seconds: float) -> str:
        if seconds > 0.1:
            raise AudioError("the answer has no samples")
        return "one two three"

    data = librispeech(tmp_path / "data", {"1-2-0000": "ONE TWO THREE", "1-2-0001": "TWO"})
    result = await measured(LIBRISPEECH, data, tmp_path / "run", Answering(fails))
    assert result.listed == {"failed": ["1-2-0001"]} and result.failure == "the answer has no samples"
    assert len((tmp_path / "run" / "answers.jsonl").read_text(encoding="utf-8").splitlines()) == 1


async def test_where_nothing_could_be_scored_there_is_an_error_and_no_rate(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", {"1-2-0000": "ONE"})
    (data / "test-clean/1/2/1-2-0000.flac").write_bytes(b"not a sound")
    with pytest.raises(EvaluationError, match="nothing could be scored: 1 broken clip"):
        await measured(LIBRISPEECH, data, tmp_path / "run", Answering(said))


async def test_missing_answers_count_as_deletions(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    result = await measured(LIBRISPEECH, data, tmp_path / "run", Answering(lambda seconds: ""))
    assert value(result, "WER (kits)") == 100.0


async def test_a_folder_of_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    await measured(LIBRISPEECH, data, tmp_path / "run", Answering(said), limit=2)
    with pytest.raises(EvaluationError, match="limit 2 and not None"):
        await measured(LIBRISPEECH, data, tmp_path / "run", Answering(said))
    librispeech(data, {"1-1-0000": "NEW"})  # the first of the items
    with pytest.raises(EvaluationError, match="data_sha256 '[0-9a-f]{64}' and not '[0-9a-f]{64}'"):
        await measured(LIBRISPEECH, data, tmp_path / "run", Answering(said), limit=2)


@pytest.mark.parametrize("noted", ["", "[]", "{"])
async def test_a_folder_whose_settings_cannot_be_read_is_refused(noted: str, tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text(noted)
    with pytest.raises(EvaluationError, match="run.json cannot be read; choose another folder"):
        await measured(LIBRISPEECH, data, tmp_path / "run", Answering(said))


async def test_a_folder_in_which_another_run_works_is_left_alone(tmp_path: Path) -> None:
    class Waiting(Answering):
        async def transcribe(self, audio: Audio) -> str:
            while second.asked == 0 and not refused.is_set():
                await asyncio.sleep(0.01)
            return self._say(audio.duration)

    data, run, refused = librispeech(tmp_path / "data", WORDS), tmp_path / "run", asyncio.Event()
    first, second = Waiting(said), Answering(said)
    running = asyncio.create_task(measured(LIBRISPEECH, data, run, first))
    while not (run / "votes.jsonl").exists():
        await asyncio.sleep(0.01)
    with pytest.raises(EvaluationError, match="another run works in .*; wait for its end"):
        await measured(LIBRISPEECH, data, run, second)
    refused.set()
    assert value(await running, "WER (kits)") == round(100 * 2 / 11, 2)
    assert (first.asked, second.asked) == (3, 0)


def test_answers_of_another_run_are_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "sounds").mkdir(parents=True)
    (one / "sounds/a.wav").write_bytes(b"sound")
    settings = Settings("librispeech", "model", "data", "0" * 64)
    (one / "run.json").write_text(json.dumps(asdict(settings)))
    answers = "".join(json.dumps({"key": f"{number}#1", "text": "x" * 40}) + "\n" for number in range(3))
    (one / "answers.jsonl").write_text(answers)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # as a full disk, a write stops in the middle
    try:
        with pytest.raises(EvaluationError, match="cannot write .*answers.jsonl"):
            take_answers(one, two, settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    take_answers(one, two, settings)
    assert (two / "answers.jsonl").read_text() == answers and (two / "sounds/a.wav").read_bytes() == b"sound"


async def test_missing_files_are_named_before_the_first_item(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    (data / "test-clean/1/2/1-2-0001.flac").unlink()
    model = Answering(said)
    with pytest.raises(EvaluationError, match=r"lacks 1 of the files .*: test-clean/1/2/1-2-0001.flac"):
        await measured(LIBRISPEECH, data, tmp_path / "run", model)
    with pytest.raises(EvaluationError, match=r"is not laid out as LibriSpeech: it has no .*trans.txt"):
        await measured(LIBRISPEECH, tmp_path, tmp_path / "run", model)
    assert model.asked == 0


async def test_each_seed_asks_again_and_has_its_own_headline(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    model = Answering(said)
    result = await measured(LIBRISPEECH, data, tmp_path / "run", model, seeds=3)
    assert (model.asked, result.items, len(result.per_seed)) == (9, 9, 3)
    assert value(result, "WER (kits)") == round(100 * 2 / 11, 2)


async def test_a_run_that_is_cancelled_ends_as_cancelled_and_goes_on(tmp_path: Path) -> None:
    class Slow(Answering):
        async def transcribe(self, audio: Audio) -> str:
            if self.asked == 2:
                await asyncio.sleep(60)
            return self._say(audio.duration)

    data, model = librispeech(tmp_path / "data", WORDS), Slow(said)
    run = asyncio.create_task(measured(LIBRISPEECH, data, tmp_path / "run", model, parallel=1))
    while model.asked < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(run, 30)
    again = Answering(said)
    assert (await measured(LIBRISPEECH, data, tmp_path / "run", again)).scored == 3 and again.asked == 1


@pytest.mark.parametrize(("at_once", "expected"), [(None, 4), (2, 2), (6, 6)])
async def test_as_many_items_are_asked_together_as_the_model_answers_at_once(
    at_once: int | None, expected: int, tmp_path: Path
) -> None:
    class Counting(Answering):
        now, most = 0, 0

        async def transcribe(self, audio: Audio) -> str:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.2)
            self.now -= 1
            return "ONE"

    model = Counting(str)
    model.capabilities = replace(model.capabilities, at_once=at_once)
    data = librispeech(tmp_path / "data", {f"1-2-{number:04}": "ONE" for number in range(12)})
    await measured(LIBRISPEECH, data, tmp_path / "run", model)
    assert model.most == expected


async def test_the_log_of_inspect_holds_every_item_and_no_sound(tmp_path: Path) -> None:
    await measured(LIBRISPEECH, librispeech(tmp_path / "data", WORDS), tmp_path / "run", Answering(said))
    (path,) = (tmp_path / "run" / "logs").glob("*.eval")
    log = await read_eval_log_async(str(path))
    assert log.status == "success" and log.samples is not None
    assert {str(sample.id) for sample in log.samples} == set(WORDS)
    text = json.dumps([sample.model_dump(mode="json") for sample in log.samples])
    assert "base64," not in text and "and then he rang a" in text


async def test_the_log_of_many_parts_is_that_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    found = []
    for part in (logs.PART, 2):
        monkeypatch.setattr(logs, "PART", part)
        monkeypatch.setattr(logs, "ROUNDS", 0)
        run = tmp_path / f"run-{part}"
        result = await measured(LIBRISPEECH, data, run, Answering(said), seeds=2)
        (path,) = (run / "logs").glob("*.eval")
        log = await read_eval_log_async(str(path))
        assert log.status == "success" and log.samples is not None and log.results is not None
        assert not (run / "log-parts").exists()
        summaries = await read_eval_log_sample_summaries_async(str(path))
        assert {(one.id, one.epoch) for one in summaries} == {(one.id, one.epoch) for one in log.samples}
        (score,) = log.results.scores
        found.append(
            (
                {(one.id, one.epoch): (one.target, one.output.completion) for one in log.samples},
                {name: metric.value for name, metric in score.metrics.items()},
                (score.scored_samples, log.results.total_samples, log.results.completed_samples),
                (log.eval.dataset.samples, log.eval.dataset.sample_ids, log.results.headline),
                result.figures,
            )
        )
    assert found[0] == found[1] and found[0][2] == (6, 6, 6)


async def test_a_log_that_cannot_be_written_loses_no_answer(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "data", WORDS)
    run, model = tmp_path / "run", Answering(said)
    run.mkdir()
    (run / "logs").write_text("in the way")
    with pytest.raises(EvaluationError, match="cannot write .*logs"):
        await measured(LIBRISPEECH, data, run, model)
    (run / "logs").unlink()
    result = await measured(LIBRISPEECH, data, run, model)
    assert (model.asked, result.scored) == (3, 3)


async def test_cloned_speech_is_not_scored_by_the_text_that_was_to_be_said(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    sound(tmp_path / "en/clip.wav", 3.0)
    (tmp_path / "en/meta.lst").write_text("one|words of the clip|clip.wav|words to say")
    with pytest.raises(EvaluationError, match="must be heard; name a recogniser with --recogniser"):
        await measured(CLONING, tmp_path, tmp_path / "run", Answering(said))


class Deaf:
    """A recogniser that hears the same in every sound."""

    languages = ("en",)
    max_audio_s = 60.0

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        return Recognition("words to play")

    async def aclose(self) -> None:
        pass


async def test_cloned_speech_is_scored_by_what_is_heard_in_it(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    sound(tmp_path / "en/clip.wav", 3.0)
    (tmp_path / "en/meta.lst").write_text("one|words of the clip|clip.wav|words to say")
    result = await measured(CLONING, tmp_path, tmp_path / "run", Answering(said), recogniser=Deaf())
    assert value(result, "mean WER (seed-tts)") == round(100 / 3, 2)
    # The clip is silent, so that there is no voice to be similar to.
    assert not [one for one in result.figures if one.name.startswith("SIM")]
