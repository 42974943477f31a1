"""Wishes for a voice or a search, in Chinese, in simplified and traditional characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.asked.wish import Search, Where

_TRADITIONAL = (
    "聲說換變請個為學講給讓來從麼資庫裡裏尋檔關幫網訊這嗎還據筆記設認復轉當擬樣點調們時對話語問題覺聽現開後見長無過沒條聞絡際維頁讀試選擇歡溫啞線機爺媽蘇蘭別報論將於"
    "憑與頭腦嬰兒貓歲張幾電隨視顯讚輕喚嚴麗陽陰氣質龍貝詢閱覽簡冊錄約號應該勞煩須習練隻唸豬東業場樂園畫歷愛貨幣價錢"
)
_SIMPLIFIED = (
    "声说换变请个为学讲给让来从么资库里里寻档关帮网讯这吗还据笔记设认复转当拟样点调们时对话语问题觉听现开后见长无过没条闻络际维页读试选择欢温哑线机爷妈苏兰别报论将于"
    "凭与头脑婴儿猫岁张几电随视显赞轻唤严丽阳阴气质龙贝询阅览简册录约号应该劳烦须习练只念猪东业场乐园画历爱货币价钱"
)
_TO_SIMPLIFIED = str.maketrans(_TRADITIONAL, _SIMPLIFIED)

_BEGIN = (
    r"(?:^|[，,。！？!?；;：:、\s])(?:好的?|嗯|那么?|现在|然后|再|请问?|麻烦|劳烦|拜托|你|您|就|都|也|还是|以后|之后|接下来|从现在开始|从现在起|"
    r"我(?:想要?|要|希望|需要)|能不能|能否|可不可以|可以|可否|能|会|帮我|帮忙|给我|替我|我想让你?|我要你?|我想要?你?|我希望你?|我需要你?|希望你?|想让你|想|要|"
    r"直接|马上|先|试着|试试|去|来|改|吧){0,8}"
)
_KIND = r"(?:女声|男声|童声|女音|男音|(?:大叔|萝莉|少女|御姐|正太|娃娃|播音)[音腔])"
_VOICE = rf"(?:声音|嗓音|嗓子|声线|音色|口音|腔调|语调|腔|{_KIND})"
_PERSON = (
    r"(?:男人|女人|男性|女性|男生|女生|男孩子?|女孩子?|男的|女的|男士|女士|先生|小姐|姐姐|哥哥|妹妹|弟弟|爷爷|奶奶|姥姥|外公|外婆|"
    r"大爷|大妈|大叔|大婶|阿姨|叔叔|老人家?|老头子?|老太太|老太婆|老伯|老者|老汉|小伙子?|小孩子?|孩子|儿童|宝宝|婴儿|少年|少女|青年|姑娘|"
    r"小朋友|妈妈|爸爸|机器人|海盗|女巫|巫婆|巫师|国王|女王|王子|公主|播音员|主持人|主播|老师|教授|医生|护士|牛仔|怪物|外星人|"
    r"精灵|和尚|侠客|管家|小丑|旁白|解说员|御姐|萝莉|大人|中年人|年轻人|老年人|[一-鿿]{1,3}国人)"
)
_IN = "[^，,。！？!?；;]"
_WHAT = "(?P<what>[^。！？!?；;]+)"
_WHO = rf"{_IN}{{1,18}}?"
_VOICED = rf"(?:{_WHO}{_VOICE}|{_KIND})"
_SAYING = (
    r"(?:来|去|跟|和|同|对|给|为|向|回答|回复|答|说|讲|读|念|朗读|告诉|聊|唱|介绍|解释|陪|播|吧|"
    r"好吗|行吗|可以吗|怎么样|[，,。！？!?；;\s]|$)"
)
_DENIED = re.compile(rf"(?:不用|不要|不必|不需要|无需|没必要|没有必要|别|勿|没|不想|不再|何必|停止){_IN}{{0,4}}$")

_DEFAULTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_BEGIN}(?:恢复|变回|换回|切回|切换回|回到|改回|还原|重置|调回|转回|用回|用|换成|恢复成|恢复到)[到成为]?(?:一下)?"
        rf"(?:你|您)?(?:原来|原本|自己|本来|默认|正常|之前|一开始|最初|平时|平常|原始|原先|刚才|预设)(?:你|您)?(?:自己)?的?"
        rf"(?:那个)?(?:声音|嗓音|音色|声线|口音)",
        r"^(?:请)?(?:用)?(?:默认|预设|原来|原本)的?(?:声音|音色|嗓音)(?:吧|就好|就行)?$",
        rf"{_BEGIN}(?:恢复|还原|重置|换回|变回)(?:一下)?(?:声音|嗓音|音色|原声)",
        rf"{_BEGIN}(?:把|将)(?:声音|嗓音|音色)(?:恢复|还原|重置|换回|变回|改回|调回){_IN}{{0,8}}",
    )
)
_CHANGE = r"(?:切换|更换|换|改|变|转换|调整|设置|设|转)"
_VOICES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_BEGIN}(?:使用|改用|换用|采用|选用|用)(?P<who>{_VOICED}){_SAYING}",
        rf"{_BEGIN}{_CHANGE}(?:成|到|为|用|一下)?(?:一个|一位|一种|个|位|种)?(?P<who>{_WHO}{_VOICE})(?!小|大)",
        rf"{_BEGIN}{_CHANGE}(?:成|到|为|用)(?:一个|一位|一种|个|位|种)?(?P<who>{_KIND})",
        rf"(?:把|将)?(?:你的|您的)?(?:声音|嗓音|音色|口音){_CHANGE}(?:成|到|为)(?:一个|一位|一种|个|位|种)?"
        rf"(?P<who>{_IN}{{1,14}}?)的?(?:吧|吗|好吗|可以吗|行吗|[，,。！？!?；;]|$)",
        rf"(?:声音|嗓音|音色)[^。！？!?；;]{{0,8}}[，,。！？!?；;\s](?:请|麻烦|帮我)?{_CHANGE}(?:成|到|为)?(?:一个|一位|个|位)?"
        rf"(?P<who>{_IN}{{0,10}}?{_PERSON})",
        rf"{_CHANGE}(?:一个|一种|一下|个|种)?(?:别的|其他|另外?|新)?(?:声音|嗓音|音色)[，,\s]*(?:要|来|我要|我想要|最好是|比如)"
        rf"(?:一个|一位|个|位)?(?P<who>{_IN}{{1,14}})",
        rf"{_BEGIN}(?:模仿|学学|学着|学|扮演|扮成|假扮|装成|假装成?)(?:一下)?(?:一个|一位|个|位)?"
        rf"(?P<who>{_WHO}的{_VOICE}|{_IN}{{0,12}}?{_PERSON}"
        rf"(?=(?:来|跟我|和我|对我|给我)*(?:说|讲|回答|聊)|的?样子|的?语气))",
        rf"{_BEGIN}(?:模仿|学学|学着|学(?!校|习|生|会|到|了|过|问|期|院|费|者))(?:一下)?(?P<who>(?![说讲])[^，,。！？!?；;有在语文]{{1,10}}?)(?:的样子|的语气|那样)?(?:来)?(?:说话|讲话)",
        rf"{_BEGIN}(?:听到?|听一?听)(?:一下)?(?P<who>{_IN}{{0,10}}?{_PERSON}的{_VOICE})(?!吗|了)",
        rf"{_BEGIN}(?:说话|讲话)?(?:像|如同)(?:一个|一位|个|位)?(?P<who>{_IN}{{0,10}}?{_PERSON})"
        r"(?:那样|一样|似的|那么|这样|一般)?(?:来)?(?:说|讲|跟我说|和我说|回答|的声音)",
        rf"^(?:请|麻烦)?(?:你|您)?(?:听起来|听上去)(?:要)?(?:更)?像(?:一个|一位|个|位)?"
        rf"(?P<who>{_IN}{{0,10}}?{_PERSON})(?=一点|一些|点|那样|吧)",
        rf"^(?:请|麻烦)?(?:你|您)?(?:说话|讲话)(?:要|得)?像(?:一个|一位|个|位)?"
        rf"(?P<who>{_IN}{{0,10}}?{_PERSON})(?<!他)(?:一样|那样|似的)",
        rf"{_BEGIN}(?:听到?|换)(?:一个|一位|个|位)(?P<who>{_IN}{{0,10}}?{_PERSON})"
        r"(?:的声音|来?跟我说|来?和我说|来?说话|来?讲话|来说|来讲|来读|来念|来回答|说话)",
        rf"{_BEGIN}(?:找|选|挑|来|要|听)(?:一下)?(?:一个|一位|一种|个|位|种|点)(?P<who>{_VOICED})"
        rf"(?:来|吧|跟|回答|说|讲|读|念|[，,。！？!?；;]|$)",
        rf"^(?P<who>{_IN}{{0,8}}(?:{_KIND}|{_PERSON}的声音))[，,]?(?:谢谢|吧|可以吗|好吗|行吗)$",
    )
)
_NOT_A_VOICE = re.compile(
    r"^(?:更|很|最|比较|稍微|再|太|那么|这么|一点|点)*(?:大|小|高|低|轻|快|慢|清楚|清晰|响亮|洪亮|大一点|小一点|大点|小点)+(?:一?点)?的?(?:声音|嗓音|音量|声)$"
    r"|^(?:的|一个|一种|个|种|什么|哪个|谁的?|这个|那个|这种|那种|别人|他|她|它|他们|她们|人民|大家)*的?(?:声音|嗓音|音色|口音|嗓子|语调|腔调)$"
    r"|心去|话题|歌|听(?!起来|上去)|看(?!起来|上去)|想"
)

_DOCUMENTS = r"(?:文档库?|文件夹?|资料库|资料|笔记本?|说明书|手册|报告|档案|知识库|数据库|合同|备忘录|记录)"
_IN_DOCUMENTS = (
    rf"(?:我们?的|你的|这些|这份|所有的?|那些|公司的?|本地的?)?{_DOCUMENTS}(?:里面|里头|里边|当中|之中|里|中|内|上)?"
)
_WEB = (
    r"(?:上网|到?互联网上?|到?网络上?|在?网路上?|在?网上|到网上|去网上|因特网上?|(?:用|通过)?搜索引擎上?|(?:去|在|上|用|到)?维基百科?上?|(?:去|在|上|用|到)"
    r"(?:百度|谷歌|必应|网络?)上?)"
)
_LOOK = (
    r"(?:查询|查找|查阅|查看|查一?查|查一?下|搜索|搜寻|搜一?搜|搜一?下|搜查|检索|找一?找|找一?下|找到|找出|看一?看|看一?下|翻一?翻|翻一?下|"
    r"翻阅|了解|查|搜|找|看)(?:一下|看看|看)?"
)
_FIND = r"(?:查询|查找|查阅|查一?查|查一下|查下|搜索|搜寻|搜一?搜|搜一下|搜下|检索|找一?找|找一下)(?:一下|看看)?"
_ASKS = (
    r"(?:怎么说|怎么讲|怎么写|如何说|是怎么说|有没有提到|有没有说|有没有写|有没有关于|有没有|"
    r"是否提到|提到|关于|说了什么关于|怎么看)"
)
_WAYS_TO_SEARCH: tuple[tuple[Where | None, str], ...] = (
    ("web", rf"{_BEGIN}(?:在|到|去|上)?{_WEB}(?:帮我|给我|替我|去|来)*{_LOOK}(?:关于)?{_WHAT}"),
    ("web", rf"{_BEGIN}{_LOOK}{_WEB}{_ASKS}?{_WHAT}"),
    ("web", rf"{_BEGIN}(?:百度|谷歌|必应|google)(?:一下|搜一?下|搜索|查一?下){_WHAT}"),
    ("web", rf"{_WEB}(?:是)?(?:怎么说|怎么讲|如何说)(?P<what>[^，。！？!?；;]+)"),
    ("web", rf"{_BEGIN}(?:有什么|有没有|有哪些|查一?下|查查|看看|搜一?下|搜索|找找|告诉我|播报|给我讲讲|说说|讲讲)"
            r"(?P<what>[^，。！？!?；;]{0,20}(?:最新|今天|今日|最近)[^，。！？!?；;]{0,10}?(?:新闻|消息|头条|资讯)[^，。！？!?；;]{0,10})"),
    ("web", r"(?P<what>(?:今天|今日|最近|现在)(?:都)?有(?:什么|哪些|啥)[^，。！？!?；;]{0,6}(?:新闻|头条|大事))"),
    ("documents", rf"{_BEGIN}(?:在|从|到|去|根据)?{_IN_DOCUMENTS}(?:帮我|给我|替我|去|来)*{_LOOK}(?:关于)?{_WHAT}"),
    ("documents", rf"(?:^|[，,。！？!?；;\s]|告诉我|说说|看看|讲讲|请问){_IN_DOCUMENTS}(?:是)?{_ASKS}{_WHAT}"),
    ("documents", rf"{_BEGIN}(?:根据|按照|依据|依照|参考)(?:一下)?{_IN_DOCUMENTS}(?:的内容|所说)?[，,\s]*{_WHAT}"),
    ("documents", rf"{_BEGIN}{_LOOK}{_IN_DOCUMENTS}[，,\s]*(?:看看|看一?下|告诉我|找找|关于|{_ASKS})?{_WHAT}"),
    (None, rf"{_BEGIN}{_FIND}(?!引擎|结果|了|过|到|出|的)(?:有关|关于|一些)?{_WHAT}"),
)  # fmt: skip
_SEARCHES = tuple((where, re.compile(pattern)) for where, pattern in _WAYS_TO_SEARCH)
_TRAIL = re.compile(
    r"(?:[，,\s]*(?:好吗|好不好|可以吗|行吗|行不行|吧|吗|谢谢你?|多谢|的相关资料|的相关信息|的资料|的信息|的内容|的事情?|给我听|给我看|告诉我|然后|并且|并|再))+$"
)
_NOT_SOUGHT = re.compile(
    r"^(?:一下|看看|它|他|她|这个|那个|的|了|过|吧|吗|呢|自己|你的心|内心)?$|现在几点|几点了|^我的.*在哪|^我的?(?:手机|钥匙|钱包|眼镜|包)"
)


def voice_asked(text: str, names: Sequence[str] = ()) -> tuple[str | None, str]:
    """The voice that a request asks for, "default" for the own one, or None; and the request without that wish."""
    said = text.translate(_TO_SIMPLIFIED)
    for pattern in _DEFAULTS:
        match = pattern.search(said)
        if match and not _denied(said, match):
            return "default", _without(text, match.span())
    for pattern in _VOICES:
        for match in pattern.finditer(said):
            who = re.sub(r"^(?:一个|一位|一种|个|位|种)", "", match["who"])
            if who and not _denied(said, match) and not _NOT_A_VOICE.search(who):
                end = match.end("who")
                return text[end - len(who) : end], _without(text, (match.start(), end))
    for name in names:
        found = re.search(rf"{_BEGIN}(?:用|换成|切换到|学|模仿|变成){re.escape(name)}(?!\w)", said, re.IGNORECASE)
        if found and not _denied(said, found):
            return name, _without(text, found.span())
    return None, text


def search_asked(text: str) -> Search | None:
    """The search that a request asks for, or None."""
    said = text.translate(_TO_SIMPLIFIED)
    for where, pattern in _SEARCHES:
        for match in pattern.finditer(said):
            start, end = match.span("what")
            end -= len(said[start:end]) - len(_TRAIL.sub("", said[start:end]))
            if not _denied(said, match) and not _NOT_SOUGHT.search(said[start:end]):
                return Search(text[start:end].strip(" ，,"), where)
    return None


def _denied(said: str, match: re.Match[str]) -> bool:
    """Whether the wish is denied, or told of somebody else."""
    before = said[: match.start()] + match[0][: len(match[0]) - len(match[0].lstrip("，,。！？!?；;：:、 "))]
    return bool(_DENIED.search(before)) or bool(re.match(r"[，,。！？!?；;：:、\s]*(?:不|别|没)", match[0]))


def _without(text: str, span: tuple[int, int]) -> str:
    return f"{text[: span[0]]}，{text[span[1] :]}".strip("，, ")
