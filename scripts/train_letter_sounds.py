"""Train the letter-to-sound model of model/kokoro/letter_sounds.py on misaki's lexicons, and measure it.

    python scripts/train_letter_sounds.py LEXICONS [--order 6] [--least 2]

LEXICONS: the folder with us_gold.json and us_silver.json
Words whose hash falls into one of 60 parts are left out of the training; the phoneme and word error rates are
of those among them that the checked lexicon holds.

Letters and symbols are aligned by expectation maximisation, each letter with none to MOST_SYMBOLS symbols, as in
Damper et al. 2005, "Aligning text and phonemes for speech technology applications"; the n-grams of pairs are
those of Bisani and Ney 2008, "Joint-sequence models for grapheme-to-phoneme conversion".
"""

from __future__ import annotations

import argparse
import random
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.model.kokoro.english import VOWELS
from agentaudio.model.kokoro.letter_sounds import BITS, SHIPPED, LetterSounds
from agentaudio.model.kokoro.lexicon import Lexicon

MOST_SYMBOLS = 3
ROUNDS = 4
SAMPLE = 15_000
_UNIT = re.compile("[ˈˌ]*.")

Pair = tuple[str, tuple[str, ...]]
Arrays = list[np.ndarray]


def units(phonemes: str) -> tuple[str, ...]:
    """Symbols with the stress mark before them."""
    return tuple(_UNIT.findall(phonemes))


def words_of(lexicon: Lexicon) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Pronunciations by word in lower case, and the words that the checked lexicon holds."""
    gold, silver = lexicon.words()
    found: dict[str, tuple[str, ...]] = {}
    for table in (silver, gold):
        for word, entry in table.items():
            said = entry if isinstance(entry, str) else entry.get("DEFAULT")
            plain = word.isascii() and word.isalpha() and len(word) > 1 and (word[1:] == word[1:].lower())
            if said and plain:
                found[word.lower()] = units(said)
    return found, {word.lower() for word in gold}


def align(word: str, said: tuple[str, ...], chances: dict[Pair, float]) -> list[Pair] | None:
    """The likeliest alignment of a word; None when there is none."""
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for letter in word:
        row: dict[int, tuple[float, int]] = {}
        for place, (score, _) in best[-1].items():
            for taken in range(min(MOST_SYMBOLS, len(said) - place) + 1):
                total = score + chances.get((letter, said[place : place + taken]), -14.0 - 3 * taken)
                if place + taken not in row or total > row[place + taken][0]:
                    row[place + taken] = (total, place)
        best.append(row)
    if len(said) not in best[-1]:
        return None
    place, found = len(said), []
    for number in range(len(word), 0, -1):
        before = best[number][place][1]
        found.append((word[number - 1], said[before:place]))
        place = before
    return found[::-1]


def first_guess(words: list[tuple[str, tuple[str, ...]]]) -> dict[Pair, float]:
    """Chances from evenly spread alignments in which vowels stand for vowels."""
    counts: defaultdict[Pair, float] = defaultdict(float)
    for word, said in words:
        for number, letter in enumerate(word):
            place = int(number * len(said) / len(word))
            is_vowel = letter in "aeiouy"
            for start in range(max(0, place - 1), min(len(said), place + 2)):
                fits = is_vowel == (said[start][-1] in VOWELS)
                counts[letter, said[start : start + 1]] += 10 if fits else 1
                counts[letter, said[start : start + 2]] += 0.5
            counts[letter, ()] += 3
    return logs(counts)


def logs(counts: Mapping[Pair, float]) -> dict[Pair, float]:
    totals: defaultdict[str, float] = defaultdict(float)
    for (letter, _), count in counts.items():
        totals[letter] += count
    return {pair: float(np.log(count / totals[pair[0]])) for pair, count in counts.items()}


def train(words: dict[str, tuple[str, ...]], order: int, least: int) -> tuple[list[Pair], Arrays, Arrays]:
    everything = list(words.items())
    sample = random.Random(0).sample(everything, min(SAMPLE, len(everything)))
    chances = first_guess(sample)
    for _ in range(ROUNDS):
        counts: Counter[Pair] = Counter()
        for word, said in sample:
            counts.update(align(word, said, chances) or [])
        chances = logs(counts)
    for word, said in sample[:12]:
        print(word, " ".join(f"{letter}:{''.join(symbols)}" for letter, symbols in align(word, said, chances) or []))
    aligned = [found for word, said in everything if (found := align(word, said, chances))]
    uses: Counter[Pair] = Counter(pair for found in aligned for pair in found)
    pairs = [pair for pair, count in uses.most_common((1 << BITS) - 2) if count > 2]
    ids = {pair: number + 2 for number, pair in enumerate(pairs)}  # 0 fills a context, 1 ends a word
    sequences = [[ids[pair] for pair in found] + [1] for found in aligned if all(pair in ids for pair in found)]
    keys, counts_of = [], []
    for length in range(1, order + 1):
        grams: Counter[int] = Counter()
        for sequence in sequences:
            padded = [0] * (length - 1) + sequence
            for end in range(length, len(padded) + 1):
                key = 0
                for token in padded[end - length : end]:
                    key = key << BITS | token
                grams[key] += 1
        kept = sorted(key for key, count in grams.items() if count >= (least if length > 2 else 1))
        keys.append(np.array(kept, np.int64))
        counts_of.append(np.array([min(grams[key], 65535) for key in kept], np.uint16))
    return pairs, keys, counts_of


def distance(said: tuple[str, ...], wanted: tuple[str, ...]) -> int:
    row = list(range(len(wanted) + 1))
    for one in said:
        corner, row[0] = row[0], row[0] + 1
        for number, other in enumerate(wanted, start=1):
            corner, row[number] = row[number], min(row[number] + 1, row[number - 1] + 1, corner + (one != other))
    return row[-1]


def error_rates(model: LetterSounds, words: list[tuple[str, tuple[str, ...]]]) -> str:
    def plain(said: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(symbol.strip("ˈˌ") for symbol in said)

    wrong = stressed = length = whole = whole_stressed = 0
    for word, wanted in words:
        said = units(model(word))
        wrong += distance(plain(said), plain(wanted))
        stressed += distance(said, wanted)
        length += len(wanted)
        whole += plain(said) != plain(wanted)
        whole_stressed += said != wanted
    return (
        f"{len(words)} words: phonemes wrong {100 * wrong / length:.1f} % ({100 * stressed / length:.1f} with stress), "
        f"words wrong {100 * whole / len(words):.1f} % ({100 * whole_stressed / len(words):.1f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("lexicons", type=Path)
    parser.add_argument("--order", type=int, default=6)
    parser.add_argument("--least", type=int, default=2)
    options = parser.parse_args()
    lexicon = Lexicon(options.lexicons)
    words, gold = words_of(lexicon)
    held_out = {word for word in words if zlib.crc32(word[:6].encode()) % 60 == 0}
    pairs, keys, counts = train({w: s for w, s in words.items() if w not in held_out}, options.order, options.least)
    path = SHIPPED
    arrays: dict[str, Any] = {
        "letters": np.array([letter for letter, _ in pairs]),
        "symbols": np.array(["".join(said) for _, said in pairs]),
    }
    for length, (key, count) in enumerate(zip(keys, counts, strict=True), start=1):
        arrays |= {f"keys{length}": np.diff(key, prepend=0), f"counts{length}": count}
    np.savez_compressed(path, **arrays)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB; pairs {len(pairs)}, n-grams {[len(key) for key in keys]}")
    model = LetterSounds(path)
    tested = [(word, words[word]) for word in sorted(held_out & gold)]
    print(error_rates(model, tested))
    names = {word.lower() for word in lexicon.words()[0] if word[:1].isupper()}
    print("names:", error_rates(model, [(word, said) for word, said in tested if word in names]))
    for word in ("eiffel", "gutenberg", "nguyen", "zuckerberg", "kubernetes", "aurelia", "fitzgerald", "xylophone"):
        print(word, model(word))


if __name__ == "__main__":
    main()
