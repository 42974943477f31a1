"""`apology`: what a listener hears about a failure whose reason is not meant for listeners."""

from __future__ import annotations

_APOLOGIES = {
    "ar": "عذرًا، لم ينجح ذلك.",
    "bn": "দুঃখিত, সেটা কাজ করেনি।",
    "cs": "Omlouvám se, to se nepodařilo.",
    "da": "Beklager, det lykkedes ikke.",
    "de": "Es tut mir leid, das hat nicht geklappt.",
    "el": "Λυπάμαι, αυτό δεν πέτυχε.",
    "en": "I am sorry, that did not work.",
    "es": "Lo siento, no ha funcionado.",
    "fa": "متأسفم، این کار نشد.",
    "fi": "Olen pahoillani, se ei onnistunut.",
    "fr": "Je suis désolé, cela n'a pas fonctionné.",
    "he": "מצטער, זה לא הצליח.",
    "hi": "माफ़ कीजिए, यह काम नहीं हुआ।",
    "hu": "Sajnálom, ez nem sikerült.",
    "id": "Maaf, itu tidak berhasil.",
    "it": "Mi dispiace, non ha funzionato.",
    "ja": "申し訳ありません、うまくいきませんでした。",
    "ko": "죄송합니다. 잘되지 않았습니다.",
    "nl": "Het spijt me, dat is niet gelukt.",
    "no": "Beklager, det gikk ikke.",
    "pl": "Przepraszam, to się nie udało.",
    "pt": "Desculpe, isso não funcionou.",
    "ro": "Îmi pare rău, nu a mers.",
    "ru": "Извините, это не получилось.",
    "sv": "Tyvärr, det fungerade inte.",
    "th": "ขออภัย ไม่สำเร็จ",
    "tr": "Üzgünüm, bu olmadı.",
    "uk": "Вибачте, це не вдалося.",
    "ur": "معاف کیجیے، یہ نہیں ہو سکا۔",
    "vi": "Xin lỗi, việc đó không thành công.",
    "yue": "對唔住，做唔到。",
    "zh": "对不起，这没有成功。",
}
_TRADITIONAL = "對不起，這沒有成功。"
_OTHER_CODES = {"nb": "no", "nn": "no", "cmn": "zh", "iw": "he", "in": "id"}


def apology(language: str | None) -> str:
    """A short apology.

    language: BCP-47 code, such as "de" or "zh-TW"; English where it is unknown or None
    """
    code, *more = (language or "en").replace("_", "-").lower().split("-")
    code = _OTHER_CODES.get(code, code)
    if code == "zh" and {"hant", "tw", "hk", "mo"} & set(more):
        return _TRADITIONAL
    return _APOLOGIES.get(code, _APOLOGIES["en"])
