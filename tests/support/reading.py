"""Texts with their right sentence ends, and forms with the ways in which they may be read aloud."""

from __future__ import annotations

import re
from pathlib import Path

from agentaudio.text.sentences import sentence_spans
from agentaudio.text.spoken_form import spoken_form

CASES = Path(__file__).resolve().parents[2] / "benchmarks" / "read_aloud"
SCRIPTS = ("english", "chinese", "hindi", "arabic", "khmer")
FORMS = {"english": "en", "chinese": "zh"}


def sentence_errors(script: str) -> tuple[int, int, list[str]]:
    """(sentence ends, errors, the texts with an error as they were split) of one script.

    An end that is missed and one that is invented are one error each.
    """
    ends = errors = 0
    wrong = []
    for line in (CASES / "sentences" / f"{script}.txt").read_text(encoding="utf-8").splitlines():
        blank = "" if script == "chinese" else " "
        text, wanted = "", set()
        for part in line.split("¦"):
            text = text + blank + part if text else part
            wanted.add(len(text))
        spans = sentence_spans(text)
        ends += len(wanted)
        if difference := wanted ^ {end for _, end in spans}:
            errors += len(difference)
            wrong.append(" ¦ ".join(text[start:end] for start, end in spans))
    return ends, errors, wrong


def written_forms(language: str) -> list[str]:
    """All written forms of one language."""
    name = next(name for name, code in FORMS.items() if code == language)
    return [line.split("\t")[0] for line in (CASES / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]


def form_errors(name: str) -> tuple[int, list[str]]:
    """(forms, those that are read wrongly) of one language.

    Case, punctuation, hyphens, and "and" inside numbers make no difference.
    """
    lines = (CASES / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    wrong = []
    for line in lines:
        written, right = line.split("\t")
        said = spoken_form(written, FORMS[name])
        if _words(said) not in map(_words, right.split("|")):
            wrong.append(f"{written} -> {said}")
    return len(lines), wrong


def _words(text: str) -> str:
    text = re.sub(r"\b[A-Z]{2,5}\b", lambda match: " ".join(match[0]), text)  # spelt by the synthesiser
    text = re.sub(r"[’']", "", text.lower())
    text = " ".join(re.findall(r"[^\W_]+", text))
    if re.search("[\u4e00-\u9fff]", text):
        return text.replace(" ", "")
    return re.sub(r"\b(hundred|thousand|million) and\b", r"\1", text)
