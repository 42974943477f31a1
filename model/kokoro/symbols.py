"""The symbols that Kokoro reads, and their ids."""

from __future__ import annotations

END = 0
"""Id before and after the symbols of a phrase."""
LONGEST = 510
"""Most symbols of one run."""

_RUNS = {
    1: ";:,.!?", 9: "—…\"()“” \u0303ʣʥʦʨᵝꭧAI", 31: "O", 33: "Q", 35: "ST", 39: "W", 41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ", 75: "βɔɕç", 80: "ɖðʤə", 85: "ɚɛɜ",
    90: "ɟ", 92: "ɡ", 99: "ɥ", 101: "ɨɪʝ", 110: "ɯɰŋɳɲɴø", 118: "ɸθœ",
    123: "ɹ", 125: "ɾɻ", 128: "ʁɽʂʃʈʧ", 135: "ʊʋ", 138: "ʌɣɤ", 142: "χʎ", 147: "ʒʔ", 156: "ˈˌː", 162: "ʰ",
    164: "ʲ", 169: "↓", 171: "→↗↘", 177: "ᵻ",
}  # fmt: skip
IDS = {symbol: first + number for first, run in _RUNS.items() for number, symbol in enumerate(run)}
"""Source: hexgrad/Kokoro-82M, config.json, "vocab"."""
