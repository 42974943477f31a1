"""Words that describe voices, in English and Chinese, grouped by trait.

Traits let "a gravelly seaman" match a card that says "hoarse old sailor". GENDERS, AGES and PLACES exclude each other
and filter the results; MANNERS only rank them.
"""

from __future__ import annotations

GENDERS = {
    "female": "woman women female lady ladies girl gal lass grandmother granny grandma gran mother mom mum aunt queen "
    "actress sister princess she her",
    "male": "man men male guy gentleman gentlemen boy bloke fellow chap lad grandfather grandpa granddad grandad "
    "father dad uncle king actor brother prince he him",
}

# "girl" and "boy" can mean children or young people, so they are in both groups.
AGES = {
    "child": "child children kid toddler infant girl boy lad schoolgirl schoolboy|little girl|little boy|small girl|"
    "small boy|tiny girl|tiny boy|little kid|little child",
    "young": "young youthful youth teenager teenage teen twenties girl boy lad student|young girl|young boy",
    "adult": "adult grown-up|grown up|middle aged|middle-aged",
    "old": "old elderly aged ancient senior pensioner grandfather grandmother grandpa grandma granddad grandad granny "
    "gran|old man|old woman",
}
CHILD_ONLY = frozenset("little small tiny wee".split())

# Names of people and places, then BCP 47 tags of the language. WITHIN lists the larger places that a place is part of.
PLACES = {
    "american": ("american america usa states|united states|new york|californian", "en-us"),
    "arabic": ("arabic arab arabian egyptian egypt cairo moroccan lebanese saudi", "ar"),
    "australian": ("australian australia aussie sydney", "en-au"),
    "austrian": ("austrian austria vienna viennese", "de-at"),
    "bengali": ("bengali bangladeshi bangladesh dhaka", "bn"),
    "brazilian": ("brazilian brazil", "pt-br"),
    "british": ("british britain uk london londoner englishman englishwoman|united kingdom|great britain", "en-gb"),
    "bulgarian": ("bulgarian bulgaria sofia", "bg"),
    "cantonese": ("cantonese guangdong|hong kong", "yue zh-hk"),
    "catalan": ("catalan catalonia barcelona", "ca"),
    "chinese": ("chinese china mandarin beijing shanghai", "zh cmn yue"),
    "croatian": ("croatian croatia zagreb", "hr"),
    "czech": ("czech czechia prague bohemian|czech republic", "cs"),
    "danish": ("danish denmark dane copenhagen", "da"),
    "dongbei": ("dongbei northeastern|northeast chinese", ""),
    "dutch": ("dutch netherlands holland amsterdam flemish dutchman", "nl"),
    "english": ("english anglophone", "en"),
    "finnish": ("finnish finland finn helsinki", "fi"),
    "french": ("french france paris parisian frenchman frenchwoman lyon", "fr"),
    "german": ("german germany berlin berliner munich bavarian", "de"),
    "greek": ("greek greece athens", "el"),
    "hebrew": ("hebrew israeli israel", "he"),
    "henan": ("henan", ""),
    "hunan": ("hunan changsha", "hsn"),
    "hungarian": ("hungarian hungary budapest", "hu"),
    "indian": ("indian india hindi delhi mumbai", "hi en-in"),
    "indonesian": ("indonesian indonesia jakarta malay malaysian", "id ms"),
    "irish": ("irish ireland dublin irishman", "en-ie ga"),
    "italian": ("italian italy rome roman milan naples", "it"),
    "japanese": ("japanese japan tokyo osaka", "ja"),
    "korean": ("korean korea seoul", "ko"),
    "latin american": ("latino latina mexican mexico argentinian argentine colombian chilean peruvian cuban|"
                       "latin american|latin america|south american|south america", "es-419 es-mx es-ar es-co"),
    "nigerian": ("nigerian nigeria african kenyan kenya", "en-ng en-ke yo ig ha"),
    "norwegian": ("norwegian norway oslo", "no nb nn"),
    "persian": ("persian farsi iranian iran tehran", "fa"),
    "polish": ("polish poland pole warsaw", "pl"),
    "portuguese": ("portuguese portugal lisbon", "pt"),
    "romanian": ("romanian romania bucharest", "ro"),
    "russian": ("russian russia moscow", "ru"),
    "scottish": ("scottish scotland scots scot scotsman edinburgh glasgow highlander", "en-gb-scotland gd"),
    "serbian": ("serbian serbia belgrade", "sr"),
    "shaanxi": ("shaanxi xian", ""),
    "shandong": ("shandong", ""),
    "shanghainese": ("shanghainese", "wuu"),
    "sichuan": ("sichuan sichuanese szechuan chengdu chongqing", ""),
    "spanish": ("spanish spain spaniard madrid castilian barcelona", "es"),
    "swahili": ("swahili tanzanian", "sw"),
    "swedish": ("swedish sweden swede stockholm", "sv"),
    "swiss": ("swiss switzerland zurich", "de-ch"),
    "taiwanese": ("taiwanese taiwan taipei hokkien minnan", "zh-tw nan"),
    "tamil": ("tamil telugu", "ta te"),
    "thai": ("thai thailand bangkok", "th"),
    "turkish": ("turkish turkey turk istanbul", "tr"),
    "ukrainian": ("ukrainian ukraine kyiv kiev", "uk"),
    "urdu": ("urdu pakistani pakistan", "ur"),
    "vietnamese": ("vietnamese vietnam hanoi", "vi"),
    "welsh": ("welsh wales welshman", "cy"),
}  # fmt: skip
WITHIN = {"scottish": ("british",), "welsh": ("british",), "cantonese": ("chinese",), "sichuan": ("chinese",),
          "shanghainese": ("chinese",), "dongbei": ("chinese",), "taiwanese": ("chinese",)}  # fmt: skip
PLACE_AND_GENDER = {
    "englishman": "male", "frenchman": "male", "scotsman": "male", "irishman": "male", "welshman": "male",
    "dutchman": "male", "englishwoman": "female", "frenchwoman": "female", "latina": "female", "latino": "male",
}  # fmt: skip

MANNERS = {
    "angry": "angry furious cross irritated aggressive",
    "butler": "butler manservant footman valet",
    "calm": "calm soothing relaxed relaxing relax peaceful serene tranquil restful",
    "cheerful": "cheerful happy joyful merry upbeat sunny jolly glad cheery smiling joyous|good mood|great mood",
    "clear": "clear distinct articulate crisp understandable",
    "commentator": "commentator commentating commentary sportscaster football soccer sports",
    "composed": "composed collected self-possessed level level-headed even steady poised balanced",
    "dark": "dark sombre somber",
    "deep": "deep low bass baritone booming deep-voiced low-pitched|low pitch|low pitched",
    "direct": "direct straightforward blunt frank",
    "dry": "dry laconic",
    "excited": "excited thrilled enthusiastic eager exciting",
    "fast": "fast quick quickly rapid rapidly hurried hurry rushed rush rushes brisk speedy hasty|top speed",
    "film": "film movie cinema trailer movies films trailers hollywood",
    "firm": "firm resolute confident determined",
    "flat": "flat monotone monotonous expressionless emotionless unemotional deadpan toneless|no emotion|"
    "without emotion",
    "friendly": "friendly kind kindly amiable nice good-natured kind-hearted sweet benevolent benign",
    "high": "high high-pitched shrill squeaky treble|high pitch|high pitched",
    "hoarse": "hoarse rough croaky raspy gravelly rasping scratchy croaking",
    "husky": "husky smoky sultry throaty",
    "lecturer": "lecturer professor lecturing lecture academic",
    "lively": "lively vivacious energetic spirited animated vigorous sparkling",
    "meditation": "meditation yoga mindfulness meditating meditative",
    "navigation": "navigation satnav gps navigator",
    "news": "news anchor newsreader presenter announcer broadcaster newscaster",
    "plain": "plain ordinary everyday natural simple normal-sounding unpretentious",
    "polite": "polite courteous well-mannered civil",
    "posh": "posh refined aristocratic upper-class noble elegant distinguished|upper class",
    "quiet": "quiet quietly silent soft-spoken",
    "radio": "radio wireless gramophone",
    "robot": "robot robotic android machine computer cyborg metallic robots machines droid",
    "sad": "sad melancholy melancholic mournful gloomy sorrowful tearful",
    "sailor": "sailor seaman pirate mariner sailors seafarer",
    "secretive": "secretive secret secrets spy conspiratorial mysterious",
    "serious": "serious sober solemn grave matter-of-fact factual no-nonsense earnest businesslike|matter of fact",
    "sexy": "sexy seductive alluring charming",
    "slow": "slow slowly unhurried leisurely unhurriedly patient drawling|takes his time|takes her time|take your time",
    "soft": "soft softly gentle tender mild delicate softer gently",
    "stern": "stern strict severe harsh rigid commanding",
    "story": "story storyteller stories tale tales storytelling fairytale narrator|bedtime story",
    "thin": "thin tinny reedy",
    "trembling": "trembling tremble trembles shaky quavering wavering",
    "warm": "warm hearty cosy cozy warm-hearted",
    "whisper": "whisper whispering whispers hushed murmur murmuring breathy breath|under his breath|under her breath",
}
ROLES = frozenset(
    "butler commentator film lecturer meditation navigation news radio robot sailor story whisper".split()
)
"""Manners that are named by nouns: "a robot or a woman" does not ask for a female robot."""
COMPOUND = {"manservant": ("male",), "seaman": ("male",), "grandfather": (), "schoolgirl": ("female",),
            "schoolboy": ("male",)}  # fmt: skip

# Chinese words and their English equivalents; longer words are tried first.
CHINESE = {
    "老爷爷": "old grandfather", "爷爷": "old grandfather", "老大爷": "old man", "大爷": "old man",
    "老头": "old man", "老人": "old", "老奶奶": "old grandmother", "奶奶": "old grandmother", "老太太": "old woman",
    "老婆婆": "old woman", "外婆": "old grandmother", "外公": "old grandfather", "老年": "old", "年迈": "old",
    "小女孩": "little girl", "小姑娘": "little girl", "小男孩": "little boy", "小孩子": "child", "小孩": "child",
    "小朋友": "child", "孩子": "child", "儿童": "child", "女童": "little girl", "男童": "little boy",
    "萝莉": "little girl", "正太": "little boy", "童声": "child", "宝宝": "child", "小学生": "child",
    "女孩子": "girl", "女孩": "girl", "男孩子": "boy", "男孩": "boy", "姑娘": "young woman", "少女": "young woman",
    "少年": "young man", "小伙子": "young man", "小哥哥": "young man", "小姐姐": "young woman", "青年": "young",
    "年轻": "young", "年青": "young", "学生": "young", "女大学生": "young woman", "中年": "middle aged",
    "大叔": "middle aged man", "叔叔": "middle aged man", "阿姨": "middle aged woman", "大妈": "middle aged woman",
    "御姐": "adult woman", "成年": "adult", "成熟": "adult",
    "女人": "woman", "女声": "woman", "女生": "woman", "女性": "woman", "女士": "woman", "女音": "woman",
    "女子": "woman", "女的": "woman", "妈妈": "mother woman", "姐姐": "woman", "妹妹": "young woman", "女": "woman",
    "男人": "man", "男声": "man", "男生": "man", "男性": "man", "先生": "man", "男士": "man", "男音": "man",
    "男子": "man", "男的": "man", "爸爸": "father man", "哥哥": "young man", "弟弟": "young man", "男": "man",
    "老": "old",
    "四川话": "sichuan", "四川": "sichuan", "成都": "sichuan", "重庆": "sichuan", "川普": "sichuan",
    "粤语": "cantonese", "广东话": "cantonese", "广东": "cantonese", "香港": "cantonese", "白话": "cantonese",
    "上海话": "shanghainese", "上海": "shanghainese", "东北话": "dongbei", "东北": "dongbei", "河南话": "henan",
    "河南": "henan", "湖南话": "hunan", "湖南": "hunan", "台湾": "taiwanese", "闽南": "taiwanese", "山东": "shandong",
    "陕西": "shaanxi", "北京": "chinese", "普通话": "chinese", "中文": "chinese", "汉语": "chinese", "中国": "chinese",
    "英式": "british", "英国": "british", "英音": "british", "伦敦": "british", "美式": "american", "美国": "american",
    "美音": "american", "英语": "english", "英文": "english", "苏格兰": "scottish", "爱尔兰": "irish",
    "威尔士": "welsh", "澳大利亚": "australian", "澳洲": "australian", "意大利": "italian", "意语": "italian",
    "法国": "french", "法语": "french", "法式": "french", "德国": "german", "德语": "german", "西班牙": "spanish",
    "西语": "spanish", "拉丁美洲": "latin american", "拉美": "latin american", "墨西哥": "mexican", "俄罗斯": "russian",
    "俄国": "russian", "俄语": "russian", "捷克": "czech", "芬兰": "finnish", "加泰罗尼亚": "catalan",
    "印度": "indian", "印地语": "indian", "日本": "japanese", "日语": "japanese", "韩国": "korean", "韩语": "korean",
    "葡萄牙": "portuguese", "巴西": "brazilian", "波兰": "polish", "荷兰": "dutch", "瑞典": "swedish",
    "挪威": "norwegian", "丹麦": "danish", "希腊": "greek", "土耳其": "turkish", "越南": "vietnamese", "泰国": "thai",
    "阿拉伯": "arabic", "乌克兰": "ukrainian", "匈牙利": "hungarian", "非洲": "african", "瑞士": "swiss",
    "温柔": "gentle soft", "柔和": "soft", "轻柔": "soft", "柔美": "soft", "温暖": "warm", "暖": "warm",
    "低沉": "deep", "浑厚": "deep", "深沉": "deep", "低音": "deep", "磁性": "deep", "高音": "high", "尖细": "high",
    "尖": "high", "沙哑": "hoarse", "嘶哑": "hoarse", "粗犷": "rough", "粗": "rough", "烟嗓": "husky",
    "快": "fast", "语速快": "fast", "飞快": "fast", "慢": "slow", "语速慢": "slow", "缓慢": "slow", "慢悠悠": "slow",
    "耳语": "whisper", "悄悄话": "whisper", "悄悄": "whisper", "低语": "whisper", "轻声": "whisper", "气声": "whisper",
    "安静": "quiet", "平静": "calm", "冷静": "calm", "沉稳": "calm", "稳重": "calm", "舒缓": "calm", "放松": "relaxing",
    "开心": "happy", "快乐": "happy", "高兴": "happy", "开朗": "cheerful", "欢快": "cheerful", "阳光": "cheerful",
    "活泼": "lively cheerful", "热情": "lively", "兴奋": "excited", "激动": "excited", "可爱": "cute sweet",
    "甜美": "sweet", "甜": "sweet", "悲伤": "sad", "难过": "sad", "忧郁": "sad", "生气": "angry", "愤怒": "angry",
    "严肃": "serious", "严厉": "stern", "正经": "serious", "慈祥": "kind", "和蔼": "kind", "亲切": "friendly",
    "友好": "friendly", "礼貌": "polite", "优雅": "refined", "高贵": "aristocratic", "清晰": "clear", "清脆": "clear",
    "单调": "monotone", "平淡": "flat", "机械": "machine", "机器人": "robot", "机器": "machine", "电脑": "computer",
    "管家": "butler", "水手": "sailor", "海盗": "pirate", "老师": "lecturer", "教授": "professor",
    "解说": "commentator",
    "主播": "announcer", "播音": "announcer", "新闻": "news", "导航": "navigation", "讲故事": "storyteller",
    "故事": "story", "电影": "film", "预告片": "trailer", "冥想": "meditation", "瑜伽": "yoga", "收音机": "radio",
    "神秘": "mysterious", "颤抖": "trembling", "性感": "sexy", "绅士": "gentleman refined", "朴实": "plain",
    "自然": "natural", "干练": "direct", "低": "low", "高": "high",
}  # fmt: skip
CHINESE_ASKING = (
    "声音 音色 声线 嗓音 嗓子 声 口音 方言 腔调 腔 语气 语调 风格 感觉 说话 讲话 说 讲 话 语 人 请 用 以 把 给 我 你 "
    "想 听 换 变成 变 切换 切 成 到 来 一个 一位 一种 个 位 种 那 这 像 样 似 得 地 了 吧 吗 呢 啊 呀 有 点 "
    "一点 些 很 非常 特别 太 比较 挺 最 更 带 着 是 语速 速度 又 回答 模仿 找 下"
).split()

ASKING = frozenset(
    "voice voices speak speaks speaking talk talks talking talker sound sounds sounding answer say saying says use "
    "like please want hear can make switch change reader speaker someone somebody something person people style tone "
    "accent accented pitch pitched read reads reading word words sort kind-of somewhat way tell telling tells "
    "who whose with very really quite rather most more bit lot you your have has had give i me my us it is are be "
    "being been that this these those which a an the in on of at by from to for and or but so as if when while every "
    "any some all one his her their its im am id than just also only both into out over up down about around native "
    "does do did either both neither such too enough ones anyone anybody anything everyone everybody everything other "
    "else thanks thank can't will i'd i'm i'll there care sure kindly maybe perhaps possible again now hmm okay ok de "
    "need needs must should would could may shall rather wish called named name looking find get".split()
)
