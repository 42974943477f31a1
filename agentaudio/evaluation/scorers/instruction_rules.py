"""The rules of IFEval: whether a text does what an instruction asks for.

Source: Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models"; the names and arguments are its
own. Sentences and words in capitals are counted by this project's rules, since the published ones need data of NLTK
that no package carries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from agentaudio.errors import EvaluationError, MissingExtra, did_you_mean
from agentaudio.text.sentences import sentences

Arguments = Mapping[str, Any]
Rule = Callable[[str, Arguments], bool]

_RESPONSES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_FENCE = re.compile(r"\A```(?:json)?(.*?)(?:```)?\Z", re.DOTALL | re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:\*[^*]|-).*$", re.MULTILINE)
_SHOUTED = re.compile(r"\w+(?:[-'’]\w+)*")


def follows(name: str, text: str, arguments: Arguments) -> bool:
    """Whether a text follows an instruction. An empty text follows none.

    name: of the rule, such as "length_constraints:number_words"
    arguments: of the rule, as the benchmark gives them; those that are None do not count

    Raises EvaluationError for an unknown rule, and for arguments that it cannot use.
    """
    if name not in RULES:
        raise EvaluationError(f"there is no rule {name!r} in IFEval; {did_you_mean(name, RULES)}")
    if not text.strip():
        return False
    given = {key: value for key, value in arguments.items() if value is not None}
    try:
        return RULES[name](text, given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EvaluationError(f"the rule {name!r} cannot use the arguments {given}: {error!r}") from None


def variants(text: str) -> list[str]:
    """The forms of a text of which one has to follow an instruction, when it is judged loosely.

    Without its first line, its last one or both, and each of these also without asterisks.
    """
    lines = text.split("\n")
    cuts = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return [*cuts, *(one.replace("*", "") for one in cuts)]


def _compare(number: float, threshold: Any, relation: str) -> bool:
    if relation == "less than":
        return number < float(threshold)
    if relation == "at least":
        return number >= float(threshold)
    raise ValueError(f"unknown relation {relation!r}")


def _counted(
    count: Callable[[str, Arguments], int], threshold: str, relation: str, text: str, given: Arguments
) -> bool:
    return _compare(count(text, given), given[threshold], given[relation])


def _occurrences(phrase: str, text: str) -> int:
    return len(re.findall(re.escape(phrase), text, re.IGNORECASE))


def _has_all(text: str, given: Arguments) -> bool:
    return all(_occurrences(one, text) for one in given["keywords"])


def _has_none(text: str, given: Arguments) -> bool:
    return not any(re.search(rf"\b{re.escape(one)}\b", text, re.IGNORECASE) for one in given["forbidden_words"])


def _is_in(text: str, given: Arguments) -> bool:
    return _language(text) in (None, given["language"])


def _is_english(case: Callable[[str], bool], text: str, given: Arguments) -> bool:
    return case(text) and _language(text) in (None, "en")


def _language(text: str) -> str | None:
    """ISO 639-1 code of the language; None for a text without letters."""
    if not any(map(str.isalpha, text)):
        return None
    try:
        from py3langid import classify
    except ImportError:
        raise MissingExtra("the language of an answer", "eval") from None
    return str(classify(text)[0])


def _parts(text: str) -> list[str]:
    return [one.strip() for one in re.split(r"\s?\*{3}\s?", text)]


def _paragraphs(text: str, given: Arguments) -> bool:
    parts = _parts(text)
    inner, ends = parts[1:-1], [parts[0], *parts[1:][-1:]]
    return all(inner) and len(inner) + sum(map(bool, ends)) == given["num_paragraphs"]


def _first_word(text: str, given: Arguments) -> bool:
    parts = [one.strip() for one in text.split("\n\n")]
    number, at = sum(map(bool, parts)), int(given["nth_paragraph"])
    if number != given["num_paragraphs"] or not 1 <= at <= number or not parts[at - 1]:
        return False
    word = parts[at - 1].split()[0].lstrip("'").lstrip('"')
    return re.split(r"[.,?!'\"]", word)[0].lower() == str(given["first_word"]).lower()


def _postscript(text: str, given: Arguments) -> bool:
    marker = str(given["postscript_marker"]).strip()
    known = {"P.S.": r"p\.\s?s\.", "P.P.S": r"p\.\s?p\.\s?s"}
    return bool(re.search(known.get(marker, re.escape(marker)), text, re.IGNORECASE))


def _highlights(text: str, given: Arguments) -> bool:
    marked = re.findall(r"\*[^\n*]*\*", text) + re.findall(r"\*\*[^\n*]*\*\*", text)
    return bool(sum(bool(one.strip("*").strip()) for one in marked) >= given["num_highlights"])


def _sections(text: str, given: Arguments) -> bool:
    splitter = re.escape(str(given["section_spliter"]).strip())
    return len(re.findall(rf"\s?{splitter}\s?\d+\s?", text)) >= int(given["num_sections"])


def _is_json(text: str, given: Arguments) -> bool:
    found = _FENCE.match(text.strip())
    try:
        json.loads(found[1] if found else text)
    except (ValueError, RecursionError):
        return False
    return True


def _title(text: str, given: Arguments) -> bool:
    return any(one.strip("<>").strip() for one in re.findall(r"<<[^\n]+>>", text))


def _two_responses(text: str, given: Arguments) -> bool:
    parts = [one.strip() for one in text.split("******")]
    found = [one for one in parts if one]
    return all(parts[1:-1]) and len(found) == 2 and found[0] != found[1]


def _quoted(text: str, given: Arguments) -> bool:
    inner = text.strip()
    return len(inner) > 1 and inner.startswith('"') and inner.endswith('"')


def _ends(text: str, given: Arguments) -> bool:
    return text.strip().strip('"').lower().endswith(str(given["end_phrase"]).strip().lower())


def _repeats(text: str, given: Arguments) -> bool:
    return text.strip().lower().startswith(str(given["prompt_to_repeat"]).strip().lower())


def _letters(text: str, given: Arguments) -> int:
    return text.lower().count(str(given["letter"]).strip().lower())


RULES: Mapping[str, Rule] = {
    "keywords:existence": _has_all,
    "keywords:frequency": partial(_counted, lambda text, a: _occurrences(a["keyword"], text), "frequency", "relation"),
    "keywords:forbidden_words": _has_none,
    "keywords:letter_frequency": partial(_counted, _letters, "let_frequency", "let_relation"),
    "language:response_language": _is_in,
    "length_constraints:number_sentences": partial(
        _counted, lambda text, a: len(sentences(text)), "num_sentences", "relation"
    ),
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": partial(
        _counted, lambda text, a: len(re.findall(r"\w+", text)), "num_words", "relation"
    ),
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": lambda text, a: (
        len(re.findall(r"\[.*?\]", text)) >= a["num_placeholders"]
    ),
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": lambda text, a: len(_BULLET.findall(text)) == a["num_bullets"],
    "detectable_format:constrained_response": lambda text, a: any(one in text for one in _RESPONSES),
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _is_json,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeats,
    "startend:end_checker": _ends,
    "startend:quotation": _quoted,
    "change_case:capital_word_frequency": partial(
        _counted, lambda text, a: sum(map(str.isupper, _SHOUTED.findall(text))), "capital_frequency", "capital_relation"
    ),
    "change_case:english_capital": partial(_is_english, str.isupper),
    "change_case:english_lowercase": partial(_is_english, str.islower),
    "punctuation:no_comma": lambda text, a: "," not in text,
}
