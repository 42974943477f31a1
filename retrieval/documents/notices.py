"""`without_notices`: the text of a page without what stands there instead of its content."""

from __future__ import annotations

import re

SHORT_PAGE_CHARS = 1_500
"""A longer page has content of its own, and may speak about JavaScript or cookies."""
LONGEST_NOTICE_CHARS = 400
LEAST_CONTENT_CHARS = 30
"""What is left beside a notice has to have so many characters to be content."""

_SCRIPTS = r"(?:java\s?script|cookies?)"
_OFF = (
    r"(?:disabled|enabled?|required|turned (?:on|off)|not (?:supported|available)|deaktiviert|aktivier|d[ée]sactiv|"
    r"activ|disattiv|отключ|включ|无效|禁用|启用|開啟|停用|有効|無効|비활성|활성)"
)
_LOADING = (
    "loading|please wait|just a moment|one moment(?: please)?|redirecting|wird geladen|laden|chargement|cargando|"
    "caricamento|carregando|загрузка|加载中|正在加载|載入中|読み込み中|로딩 ?중|로드 ?중"
)
_NOTICE = re.compile(
    "|".join(
        (
            r"(?:enable|activate|turn on|requires?|need|without|support|aktivier\w+|activer|activar|habilit\w+|attiva)"
            rf".{{0,40}}{_SCRIPTS}",
            rf"{_SCRIPTS}.{{0,60}}{_OFF}",
            rf"(?:启用|开启|打开|啟用|開啟|请允许|включите|разрешите).{{0,20}}{_SCRIPTS}",
            rf"^\W*(?:{_LOADING})[\s.…]*(?:please wait)?[\s.…]*$",
            r"check(?:ing)? (?:if the site|your browser|that you)",
            r"verif(?:y|ying) (?:that )?you(?: are|'re|’re) (?:a )?(?:human|not a)|verify (?:that )?you are human",
            r"are you (?:a robot|human)|not a (?:ro)?bot\b|captcha|unusual traffic|ddos protection|ray id",
            r"(?:security|browser) check|attention required|performance (?:&|and) security by",
            r"access (?:to this page )?(?:has been )?denied|you have been blocked|this may take a few seconds",
            r"\b(?:we|this (?:web)?site|our partners)\b.{0,80}\b(?:use|uses|using|store)\b.{0,60}\bcookies",
            r"(?:accept|reject|manage|allow)\b.{0,30}\bcookies|cookie (?:settings|policy|preferences|consent|notice)",
            r"\b(?:wir|diese (?:web)?seite)\b.{0,60}(?:verwend|nutz|setz)\w*.{0,30}cookies",
            r"(?:utilis|usa|utiliz)\w*.{0,30}cookies",
            r"cookies.{0,30}(?:zu(?:stimmen|lassen)|akzeptieren|accepter|aceptar|accettare)",
            r"(?:本网站|本網站|我们)使用.{0,20}cookies?|安全验证|人机验证|正在(?:检查|验证)|请稍候",
            r"проверка браузера|подождите",
        )
    ),
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n+")


def without_notices(text: str) -> str:
    """The text of a short page without notices about scripts, cookies and checks; empty when little else is there.

    A page that a script has yet to fill, or that waits for a click, has such a notice in place of its content.
    """
    if len(text) > SHORT_PAGE_CHARS:
        return text
    parts = [part for part in _SENTENCE_END.split(text) if part.strip()]
    if not any(_is_notice(part) for part in parts):
        return text
    left = "\n\n".join(
        kept
        for paragraph in text.split("\n\n")
        if (kept := " ".join(part for part in _SENTENCE_END.split(paragraph) if part.strip() and not _is_notice(part)))
    )
    content = re.sub(r"(?m)^#{1,6} .*$", "", left)
    return left if len("".join(content.split())) >= LEAST_CONTENT_CHARS else ""


def _is_notice(part: str) -> bool:
    return len(part) <= LONGEST_NOTICE_CHARS and _NOTICE.search(part) is not None
