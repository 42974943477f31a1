"""Converts IPA phonemes, as eSpeak NG writes American English, to the ARPABET of PocketSphinx."""

from __future__ import annotations

from collections.abc import Sequence

_VOWELS = {
    "aɪɚ": "AY ER", "aɪə": "AY AH", "aʊɚ": "AW ER", "aʊə": "AW AH", "ɔɪə": "OY AH", "oʊɹ": "AO R",
    "iə": "IY AH", "ɪɹ": "IH R", "ɛɹ": "EH R", "ʊɹ": "UH R", "ɔːɹ": "AO R", "ɑːɹ": "AA R", "oːɹ": "AO R",
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "ɜː": "ER", "ɑː": "AA",
    "ɔː": "AO", "iː": "IY", "uː": "UW", "oː": "AO", "aː": "AA", "eː": "EY", "ɐ": "AH", "ə": "AH",
    "ɚ": "ER", "ɝ": "ER",
    "æ": "AE", "a": "AA", "ɑ": "AA", "ɔ": "AO", "ɒ": "AA", "ʌ": "AH", "ɛ": "EH", "e": "EY", "ɪ": "IH",
    "i": "IY", "ʊ": "UH", "u": "UW", "o": "OW", "ᵻ": "IH", "ɨ": "IH", "ɜ": "ER", "y": "UW", "ø": "ER",
    "œ": "ER",
}  # fmt: skip
_CONSONANTS = {
    "tʃ": "CH", "dʒ": "JH", "əl": "AH L", "n̩": "AH N", "l̩": "AH L", "m̩": "AH M", "p": "P", "b": "B", "t": "T",
    "d": "D", "k": "K", "ɡ": "G", "g": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z",
    "ʃ": "SH", "ʒ": "ZH", "h": "HH", "m": "M", "n": "N", "ŋ": "NG", "l": "L", "ɫ": "L", "ɹ": "R", "r": "R",
    "j": "Y", "w": "W", "ʍ": "W", "ɾ": "T", "ʔ": "T", "x": "K", "ç": "HH", "ɬ": "L", "ɲ": "N Y", "ʎ": "L Y",
    "c": "K", "q": "K", "β": "V", "ɣ": "G", "ʁ": "R", "ɐ̃": "AA N", "ɔ̃": "AO N", "ɑ̃": "AA N", "ɛ̃": "AE N",
}  # fmt: skip
_PHONES = {ipa: phones.split() for ipa, phones in {**_VOWELS, **_CONSONANTS}.items()}
_LONGEST = max(map(len, _PHONES))
_IGNORED = "ˈˌː.ˑ̯̩̃͡ʲʰ-|_()"


def arpabet(phonemes: Sequence[str]) -> list[str]:
    """ARPABET phones of a word's IPA phonemes; empty when one of them does not exist in English.

    phonemes: ["b", "ˈæ", "d", "eɪ", "l", "ɪ", "ŋ"] becomes ["B", "AE", "D", "EY", "L", "IH", "NG"]
    """
    text = "".join(phonemes).replace("ˈ", "").replace("ˌ", "")
    phones: list[str] = []
    position = 0
    while position < len(text):
        for length in range(min(_LONGEST, len(text) - position), 0, -1):
            if (found := _PHONES.get(text[position : position + length])) is not None:
                phones += found
                position += length
                break
        else:
            if text[position] not in _IGNORED:
                return []
            position += 1
    return phones
