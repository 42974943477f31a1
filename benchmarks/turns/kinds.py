"""The conversations of the benchmark, kind by kind. The script draws voices, levels and pauses from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from turns.conversations import Bed, Conversation, EchoPath, Step

SEED = 1409
USERS = (
    "am_liam", "bf_emma", "af_nova", "bm_george", "am_onyx", "af_river", "demo:nora", "demo:bruno", "demo:felix",
    "demo:agnes", "af_bella", "am_fenrir",
)  # fmt: skip
CHINESE_USERS = ("zf_xiaoni", "zm_yunxi", "zf_xiaoyi")
OTHERS = ("am_puck", "bf_lily", "bm_fable", "af_jessica")

LONG = (
    "The first lighthouse at this place burned wood in an iron basket. "
    "The tower of today is from eighteen twelve, and its lamp can be seen from forty miles away.",
    "Bread needs only flour, water, salt and time. Mix them in the evening, "
    "leave the dough in a cool place, and bake it in a very hot oven the next morning.",
    "Bees tell each other where the flowers are by dancing. "
    "The angle of the dance gives the direction, and its length gives how far they have to fly.",
    "The library opens at nine on working days and at ten on Saturdays. "
    "Books can be returned at any hour, in the box beside the main entrance.",
)
LONG_CHINESE = (
    "长城修建了很多个世纪，今天的长城主要是明朝留下来的。它从东边的海边一直到西边的沙漠，全长超过两万公里。",
)
ASKS_NUMBER = ("Certainly. What is your phone number, please?", "Of course. Could you give me the order number?")
ASKS_SPELLING = ("How do you spell your last name?", "Sure. What is your e-mail address?")
ASKS_YES = (
    "I found a table at eight. Shall I book it for you?",
    "Your train leaves in ten minutes. Do you want to change it?",
)

Made = Iterator[tuple[tuple[Step, ...], dict[str, object]]]


def first(says: str, **more: object) -> Step:
    return Step(says, "turn", "start", 0.6, **more)  # type: ignore[arg-type]


def clean(rng: random.Random) -> Made:
    for one, two in (
        ("What time does the museum open on Sunday?", "And how much is a ticket for two?"),
        ("Tell me something about lighthouses.", "Thank you, that is all."),
        ("Please remind me to water the plants at six.", "What did I ask you to do yesterday?"),
        ("How far is it from Lisbon to Porto?", "Then book the morning train, please."),
        ("I lost my key in the park.", "No, it was near the fountain."),
        ("Could you read me the latest message?", "Answer that I will be late."),
    ):
        yield (first(one), Step(two)), {}


def pause(rng: random.Random) -> Made:
    for says in (
        "I would like to rent a car <{}> for the second week of March.",
        "Is there a pharmacy <{}> that is still open at this hour?",
        "My sister wants to come on Thursday because <{}> she has an appointment in town.",
        "Put milk, eggs and <{}> a bag of rice on the list.",
        "The meeting should be moved to <{}> half past two.",
        "We need a room with <{}> two beds and a view of the lake.",
        "When you have time, <{}> look up the name of that actor.",
        "Send the report to Martha <{}> and to the whole team in Oslo.",
        "Can you tell me what the <{}> difference between a violin and a viola is?",
    ):
        yield (first(says.format(round(rng.uniform(0.5, 1.3), 2))), Step("Thanks, that was it.")), {}


def repair(rng: random.Random) -> Made:
    for says in (
        "Um, <{}> I was wondering if you sell gift cards.",
        "So, uh, <{}> what I need is, <{}> a new battery for my watch.",
        "Well, <{}> the thing is that the heating does not work.",
        "Book it for Tuesday, <{}> no, for Wednesday at noon.",
        "Hello, <{}> I have a question about my bill.",
        "I think, <{}> I mean, <{}> could you start again from the top?",
    ):
        pauses = [round(rng.uniform(0.4, 1.0), 2) for _ in range(says.count("{}"))]
        yield (first(says.format(*pauses)), Step("All right, what comes next?")), {}


def dictated(rng: random.Random) -> Made:
    for says, asks in (
        ("Zero six one, <{}> four four nine, <{}> two eight five.", ASKS_NUMBER[0]),
        ("It is seven, <{}> one, <{}> one, <{}> double four, <{}> nine.", ASKS_NUMBER[1]),
        ("M, <{}> E, <{}> double R, <{}> I, <{}> C, <{}> K.", ASKS_SPELLING[0]),
        ("Anna dot berg <{}> at <{}> example dot org.", ASKS_SPELLING[1]),
        ("Two zero eight, <{}> nine nine one, <{}> three oh five.", ASKS_NUMBER[1]),
        ("S, <{}> C, <{}> H, <{}> A, <{}> double F, <{}> E, <{}> R.", ASKS_SPELLING[0]),
    ):
        gaps = [round(rng.uniform(0.75, 1.25), 2) for _ in range(says.count("{}"))]
        steps = (first("I want to change my booking."), Step(says.format(*gaps)), Step("Is everything correct now?"))
        yield steps, {"answers": (asks, LONG[3])}
    for says in (
        "My number is five one two, <{}> eight eight zero, <{}> four seven.",
        "The code is nine, <{}> three, <{}> three, <{}> one.",
    ):
        gaps = [round(rng.uniform(0.5, 0.95), 2) for _ in range(says.count("{}"))]
        yield (first(says.format(*gaps)), Step("Did you get all of it?")), {}


def one_word(rng: random.Random) -> Made:
    for says in ("Yes.", "No.", "Tomorrow.", "Okay.", "Seven.", "Sure, please."):
        yield (
            (first("Is there anything left for tonight?"), Step(says)),
            {"answers": (ASKS_YES[len(says) % 2], LONG[0])},
        )


def seam(rng: random.Random) -> Made:
    """A short answer that begins just before the agent's question has ended."""
    for says, delay in (
        ("Yes.", -0.1),
        ("No.", -0.15),
        ("Yeah.", -0.2),
        ("Two, please.", -0.1),
        ("Okay.", 0.05),
        ("Yep.", -0.1),
    ):
        steps = (first("Please look for a table."), Step(says, delay_s=delay))
        yield steps, {"answers": (ASKS_YES[len(says) % 2], LONG[1])}


def back_channel(rng: random.Random) -> Made:
    for one, two in (
        ("Yeah, yeah.", "*hummed"), ("Yeah.", "Okay."), ("*hummed", "Right."), ("Uh-huh.", "I see."),
        ("Oh.", "*hummed"), ("Okay.", "*hummed"), ("Yes.", "Wow."), ("*hummed", "Uh-huh."), ("Really.", "*hummed"),
    ):  # fmt: skip
        steps = (
            first("Tell me more about it."),
            Step(one, "ignore", "agent_start", rng.uniform(1.0, 2.0), level_db=-4),
            Step(two, "ignore", "agent_start", rng.uniform(4.2, 5.5), level_db=-4),
            Step("Thanks, good to know."),
        )
        yield steps, {}


def noises(rng: random.Random) -> Made:
    for one, two in (
        ("*cough", "*click"), ("*throat", "*door"), ("*door", "*cough"), ("*laugh", "*throat"), ("*ring", "*cough"),
        ("*click", "*laugh"),
    ):  # fmt: skip
        steps = (
            first("Tell me a little about it."),
            Step(one, "ignore", "agent_start", rng.uniform(1.0, 2.0)),
            Step(two, "ignore", "agent_start", rng.uniform(4.2, 5.5)),
            Step(one, "ignore", "agent_end", 1.2),
            Step("And now the weather, please.", "turn", "said", 1.6),
        )
        yield steps, {}


def early_noise(rng: random.Random) -> Made:
    """A noise while the agent thinks, before the first sound of its answer."""
    for sound, delay in (("*cough", 0.75), ("*door", 0.7), ("*click", 0.9), ("*throat", 0.85)):
        yield (first("How long does the ferry take?"), Step(sound, "ignore", "said", delay)), {"think_s": 0.9}


def goes_on(rng: random.Random) -> Made:
    """The user goes on before the answer is heard: one turn, one answer."""
    for says in (
        "Book a table for two. <0.95> No, for four.",
        "Call the office. <1.0> On second thought, call Peter.",
        "Turn off the lights. <0.9> And close the blinds.",
    ):
        yield (first(says),), {"think_s": 0.9}


def barge(rng: random.Random) -> Made:
    for says in (
        "Stop.", "Wait a second.", "No, that is not what I asked.", "Excuse me, which year was that?", "Hold on.",
        "Okay, stop now.", "Actually, tell me about something else.", "Quiet!", "Can you say that more slowly?",
        "What?", "Yes, but what does it cost?", "Thank you, that is enough.",
    ):  # fmt: skip
        yield (first("Tell me about it, please."), Step(says, "barge", "agent_start", rng.uniform(0.6, 4.0))), {}


def with_bed(name: str, snr_db: float) -> Callable[[random.Random], Made]:
    def made(rng: random.Random) -> Made:
        for one, two in (
            ("Will it rain in Bergen this weekend?", "Wait, say that again."),
            ("How many calories are in an apple?", "Stop there, please."),
            ("I need a plumber <0.7> for tomorrow morning.", "Sorry, what was the price?"),
        ):
            steps = (first(one), Step(two, "barge", "agent_start", rng.uniform(1.5, 3.5)), Step("Good, thank you."))
            yield steps, {"bed": Bed(name, snr_db)}  # type: ignore[arg-type]

    return made


def alone(rng: random.Random) -> Made:
    """Nobody speaks to the agent."""
    for bed in (Bed("music", 6), Bed("television", 14), Bed("pink", 8), None, Bed("television", 18), Bed("music", 12)):
        yield (), {"bed": bed, "level_dbfs": -24.0 if bed else -120.0}


def far_talker(rng: random.Random) -> Made:
    """Other people speak to each other, in the same room or the next one."""
    for says in (
        "Did you feed the cat this morning?",
        "I'll be at the office until five.",
        "Where did you put the scissors?",
    ):
        other = rng.choice(OTHERS)
        steps = (
            first("Give me a short summary of the news."),
            Step(says, "ignore", "agent_start", rng.uniform(1.5, 3.0), voice=other, level_db=-16, is_far=True),
            Step("Which of these happened in Asia?"),
            Step(says, "ignore", "agent_end", 1.5, voice=other, level_db=-18, is_far=True),
        )
        yield steps, {}


def echo(rng: random.Random) -> Made:
    paths = (
        EchoPath(-20, 50), EchoPath(-20, 120), EchoPath(-15, 250, 0.4), EchoPath(-20, 250), EchoPath(-15, 120, 0.3),
        EchoPath(-15, 60), EchoPath(-20, 180, 0.4), EchoPath(-15, 200, 0.2), EchoPath(-20, 80, 0.3),
    )  # fmt: skip
    for place, path in enumerate(paths):
        begin = first("Tell me how it is done.")
        yield (
            (
                (begin, Step("How do you know that?", delay_s=0.3), Step("And who told you?")),
                (begin, Step("Wait, I have another question.", "barge", "agent_start", rng.uniform(2.0, 4.0))),
                (begin, Step("*cough", "ignore", "agent_start", 3.0), Step("Very good.", delay_s=0.6)),
            )[(place - place // 3) % 3],
            {"echo": path},
        )


def two_talkers(rng: random.Random) -> Made:
    for one, two in (
        ("Where shall we go for lunch?", "Somewhere with a garden, please."),
        ("Play something for the children.", "But nothing too loud."),
        ("What is on at the theatre?", "And are there still seats for tonight?"),
    ):
        yield (first(one), Step(two, "turn", "said", 0.25, voice=rng.choice(OTHERS))), {}


def chinese(rng: random.Random) -> Made:
    begin = first("请给我讲讲长城。")
    for steps in (
        (first("今天上海的天气怎么样？"), Step("那明天呢？")),
        (first("我想订一张 <0.8> 明天去北京的火车票。"), Step("谢谢。")),
        (begin, Step("停一下。", "barge", "agent_start", 2.0)),
        (begin, Step("对。", "ignore", "agent_start", 2.0, level_db=-4), Step("好，我知道了。")),
        (begin, Step("等等，我还有一个问题。", "barge", "agent_start", 3.0)),
        (first("因为 <0.7> 我明天不在家，请改到周五。"), Step("好的。")),
    ):
        yield steps, {"language": "zh", "answers": LONG_CHINESE}


KINDS: dict[str, Callable[[random.Random], Made]] = {
    "clean": clean, "pause": pause, "repair": repair, "dictated": dictated, "one word": one_word, "seam": seam,
    "back-channel": back_channel, "noises": noises, "early noise": early_noise, "goes on": goes_on, "barge-in": barge,
    "music": with_bed("music", 10), "pink noise": with_bed("pink", 10), "television": with_bed("television", 16),
    "nobody": alone, "far talker": far_talker, "echo": echo, "two talkers": two_talkers, "Chinese": chinese,
}  # fmt: skip


def conversations() -> list[Conversation]:
    """All of them, always the same. In each kind every third one is a test conversation."""
    rng = random.Random(SEED)
    made: list[Conversation] = []
    for kind, script in KINDS.items():
        for place, (steps, more) in enumerate(script(rng)):
            voices = CHINESE_USERS if more.get("language") == "zh" else USERS
            settings: dict[str, object] = {
                "voice": rng.choice(voices),
                "answers": (rng.choice(LONG),),
                "level_dbfs": rng.choice((-20.0, -24.0, -24.0, -30.0)),
                "is_test": place % 3 == 2,
            }
            made.append(Conversation(f"{kind} {place + 1}", kind, steps, **(settings | more)))  # type: ignore[arg-type]
    return made
