"""The demo voices that Kokoro speaks: which stock style, what it says, and what its card may claim.

Left out are the style that the embedded engine speaks in by itself (af_heart), the styles that sound like another one
of this list, and the four Japanese styles that were trained on readings by named people, who are not known to have
agreed to it. Of each group with a cosine of 0.83 or more between their speaker embeddings, in the same sentence or in
their clips, one is kept: the same speakers have a style in Spanish, Portuguese and English. Three styles are
reshaped, two of them into children, so that they no longer sound like another one.

Sex and language are those of the style. Nobody knows an age of a synthetic speaker: it is an impression, set by
casting, as is the manner, which comes with the words that are spoken. Pitch, pace, melody and colour are
added by `measured_words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from demo_measured import Measures, measured_words
from demo_permissions import SIWIS, STOCK_STYLE
from demo_recipes import Recipe

from agentaudio.model.kokoro.styles import LANGUAGES
from agentaudio.voice_library.voice import Source

SPOKEN = {
    "es": "Spanish", "fr": "French", "hi": "Hindi", "it": "Italian", "ja": "Japanese", "zh": "Mandarin",
}  # fmt: skip
NOUNS = {"female": ("girl", "woman"), "male": ("boy", "man")}


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'AEIOUaeiou' else 'a'} {words}"


@dataclass(frozen=True, slots=True)
class Natural:
    """A voice that Kokoro speaks, before it is measured.

    id, name, accent, age: of its card
    style: the stock style, whose name gives sex and language
    text: the words of its clip; reading: how they are read, where that cannot be derived
    manner: words for the card's `style`, the first, and its tags
    like: ends the first sentence of the description
    settings: of demo_kokoro.speak
    """

    id: str
    name: str
    style: str
    accent: str
    text: str
    manner: tuple[str, ...] = ()
    like: str = ""
    age: Literal["child", "young", "adult", "old"] = "adult"
    settings: str = ""
    reading: str = ""

    @property
    def gender(self) -> Literal["female", "male"]:
        return "female" if self.style[1] == "f" else "male"

    @property
    def language(self) -> str:
        given = dict(pair.split("=") for pair in self.settings.split()).get("language")
        return given or {"es": "es-ES", "fr": "fr-FR", "hi": "hi-IN", "it": "it-IT", "ja": "ja-JP", "zh": "zh-CN"}.get(
            LANGUAGES[self.style[0]], LANGUAGES[self.style[0]]
        )

    @property
    def source(self) -> Source:
        return Source(engine="kokoro", voice=self.style, settings=self.settings)

    def recipe(self, sound: Measures, pace: float) -> Recipe:
        """The card's fields, with the words that the clip was measured to deserve; see `measured_words`."""
        words = tuple(dict.fromkeys((*self.manner, *measured_words(sound, self.gender, pace))))
        noun = NOUNS[self.gender][self.age != "child"]
        age = {"child": "little", "adult": ""}.get(self.age, self.age)
        who = _with_article(f"{age} {self.accent} {noun}".strip())
        voice = f" with {_with_article(', '.join(words))} voice" if words else ""
        speaks = f" Speaks {SPOKEN[self.language[:2]]}." if self.language[:2] in SPOKEN else ""
        return Recipe(
            self.id, self.name, self.source, SIWIS if self.style == "ff_siwis" else STOCK_STYLE,
            self.language, self.text,
            f"{who[0].upper()}{who[1:]}{voice}{self.like}.{speaks} Natural neural synthesis.",
            tuple(filter(None, dict.fromkeys((self.accent.lower(), age, self.age, noun, *words, "natural")))),
            self.gender, self.age, words[0] if words else "natural", self.accent,
        )  # fmt: skip


NATURAL_VOICES = (
    # American women
    Natural("paula", "Paula", "af_alloy", "American",
            "The train to the coast leaves from platform nine, and the journey takes a little over two hours."),
    Natural("megan", "Megan", "af_aoede", "American",
            "We walked along the river until the lights came on, and then we found a small place for dinner."),
    Natural("bella", "Bella", "af_bella", "American",
            "I put fresh flowers on the kitchen table, because my sister is coming home this afternoon."),
    Natural("erin", "Erin", "af_kore", "American",
            "Before we begin, let me show you where everything is, so that you can find it on your own.",
            ("friendly", "helpful")),
    Natural("grace", "Grace", "af_nicole", "American",
            "Close your eyes, breathe in slowly, and let your shoulders sink into the warm floor.",
            ("calm", "soothing"), ", like a meditation teacher"),
    Natural("nora", "Nora", "af_nova", "American",
            "The museum has a new room on the second floor, and you can see the whole harbor from its windows."),
    Natural("tessa", "Tessa", "af_river", "American",
            "My grandmother taught me this song when I was seven, and I have never forgotten a single word."),
    Natural("sarah", "Sarah", "af_sarah", "American",
            "The results came in this morning, and I would like to go through all of them with you, one step at a "
            "time.", ("businesslike",)),
    Natural("ruby", "Ruby", "af_jessica", "American",
            "Good morning everybody, what a wonderful day! Shall we all go dancing together tonight?",
            ("cheerful", "happy"), age="young"),
    # American men
    Natural("michael", "Michael", "am_michael", "American",
            "There is a quiet road behind the farm, and in the evening you can hear the owls from there."),
    Natural("frank", "Frank", "am_fenrir", "American",
            "The engine was cold, the road was wet, and we still had forty miles to go before sunrise.",
            ("serious",)),
    Natural("liam", "Liam", "am_liam", "American",
            "Send me the address when you have a minute, and I will pick you up right after work, so that we can "
            "eat together.", ("friendly",)),
    Natural("bruno", "Bruno", "am_onyx", "American",
            "Lock the heavy door behind you, and walk down the dark stairs to the very bottom of the tower.",
            (), ", like a film trailer"),
    Natural("nicholas", "Nicholas", "am_santa", "American",
            "Every winter we light the big fire in the hall, and the whole village comes in from the snow.",
            ("jolly",), ", like Father Christmas", age="old"),
    Natural("felix", "Felix", "am_eric", "American",
            "Hurry up, the bus is coming, the tickets are in my pocket, the bags are in the hall, and we still have to "
            "say goodbye to everybody in the house!",
            ("hurried",), ", like a sports commentator: a style with its pitch and formants raised a little",
            age="young", settings="speed=1.3 pitch=1.06 tract=1.03"),
    Natural("moses", "Moses", "am_adam", "American",
            "Take your time, my friend. There is no need to hurry at all.",
            ("patient",), settings="speed=0.68"),
    # British women
    Natural("alice", "Alice", "bf_alice", "British",
            "Have you seen the garden lately? The roses have climbed right over the wall and into the lane.",
            age="young"),
    Natural("emma", "Emma", "bf_emma", "British",
            "I should think the post office is still open, but you had better take an umbrella with you."),
    Natural("isabella", "Isabella", "bf_isabella", "British",
            "The letters were kept in a wooden box for sixty years, and nobody had ever read them."),
    Natural("agnes", "Agnes", "bf_lily", "British",
            "Sit down by the fire, my dear, and have another piece of cake.",
            ("kind",), ", a grandmother", age="old", settings="speed=0.74"),
    # British men
    Natural("albert", "Albert", "bm_lewis", "British",
            "When I was a boy, this road was only a path between two fields, and we walked it every day.",
            ("calm",), ", like a grandfather telling a story", age="old", settings="speed=0.78"),
    Natural("daniel", "Daniel", "bm_daniel", "British",
            "Ten boats were moored below the bridge, and each of them was painted in a different colour."),
    Natural("simon", "Simon", "bm_fable", "British",
            "Nobody believed the story at first, until the old map turned up behind the bookcase.",
            like=", like a storyteller"),
    Natural("nigel", "Nigel", "bm_george", "British",
            "I should be delighted to join you for tea at four, provided that the weather holds.",
            ("refined", "posh"), ", like a butler"),
    # American children
    Natural("lily", "Lily", "af_sky", "American",
            "Look, there is a tiny frog in the pond! Can we take it home and show it to mum?",
            ("excited",), ", about six years old: a woman's style with its pitch and formants raised",
            age="child", settings="pitch=1.75 tract=1.2"),
    Natural("timmy", "Timmy", "am_puck", "American",
            "I built a boat out of paper, and it went all the way to the other side of the lake!",
            ("excited",), ", about eight years old: a man's style with its pitch and formants raised",
            age="child", settings="pitch=2.5 tract=1.22"),
    # Spanish
    Natural("elena", "Elena", "ef_dora", "Spanish",
            "El domingo vamos a la montaña con unos amigos y comemos todos juntos al lado del río."),
    Natural("diego", "Diego", "em_alex", "Latin American",
            "Mi hermano trabaja en el puerto y cada noche trae pescado fresco para la cena.",
            ("direct",), age="young", settings="language=es-419"),
    # French
    Natural("claire", "Claire", "ff_siwis", "French",
            "Ce soir nous dînons dans un petit restaurant près du port, avec toute la famille et nos voisins.",
            ("polite",)),
    # Hindi
    Natural("anjali", "Anjali", "hf_alpha", "Indian",
            "कल शाम हम बाज़ार गए थे और वहाँ से ताज़े फल और सब्ज़ियाँ ले आए।"),
    Natural("priya", "Priya", "hf_beta", "Indian",
            "मेरी दादी हर सुबह बगीचे में बैठकर चाय पीती हैं और पुराने गीत गाती हैं।"),
    Natural("arjun", "Arjun", "hm_omega", "Indian",
            "अगर बारिश रुक गई तो हम शाम को नदी के किनारे घूमने चलेंगे।"),
    Natural("vikram", "Vikram", "hm_psi", "Indian",
            "मेरे भाई ने नई दुकान खोली है और वहाँ बहुत अच्छी किताबें मिलती हैं।"),
    # Italian
    Natural("gina", "Gina", "if_sara", "Italian",
            "La nonna prepara il pane ogni domenica mattina e tutta la casa profuma di forno.",
            ("composed",)),
    Natural("leo", "Leo", "im_nicola", "Italian",
            "No, ho deciso: domani mattina prendo il treno per Venezia e torno a casa la sera.",
            ("firm",)),
    # Japanese
    Natural("keiko", "Keiko", "jf_alpha", "Japanese",
            "明日の朝は早く起きて、海の近くの駅まで歩いて行きます。", age="young",
            reading="あしたの あさわ はやく おきて、 うみの ちかくの えきまで あるいて いきます。"),
    # Mandarin
    Natural("xiaobei", "Xiaobei", "zf_xiaobei", "Chinese",
            "今天下午我们去公园散步，湖边的花都开了，真好看。", age="young"),
    Natural("xiaoxiao", "Xiaoxiao", "zf_xiaoxiao", "Chinese",
            "请您稍等一下，我先把窗户打开，然后给您倒一杯热茶。", ("polite",)),
    Natural("yunjian", "Yunjian", "zm_yunjian", "Chinese",
            "比赛马上就要开始了，两支队伍都已经站在了球场上。"),
    Natural("yunxi", "Yunxi", "zm_yunxi", "Chinese",
            "昨天晚上下了一场大雪，早上出门的时候，整条街都是白的。", age="young"),
    Natural("yunxia", "Yunxia", "zm_yunxia", "Chinese",
            "爷爷家的院子里有一棵很高很高的苹果树，我每年都去摘苹果。", age="child"),
    Natural("yunyang", "Yunyang", "zm_yunyang", "Chinese",
            "各位听众早上好，今天全国大部分地区天气晴朗，气温逐渐回升。",
            like=", like a news presenter"),
)  # fmt: skip
