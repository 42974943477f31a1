"""`Understanding`: what a request means after the turns before it.

A request can be read in several ways: as one that stands alone, as a change of an earlier call, as arithmetic that
goes on from a result, as a question about the topic before, as another wish for a voice, or as something about the
conversation itself. Each reading that makes sense is weighed by how probable its act is by the words alone (`Acts`)
and by how much of the request it explains; the best one is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue import forms
from agentaudio.model.embedded.dialogue.abilities import ABLE, able_to, offered
from agentaudio.model.embedded.dialogue.acts import Acts, holds_value, independent, names_place
from agentaudio.model.embedded.dialogue.addressed import requested
from agentaudio.model.embedded.dialogue.asking import Asking
from agentaudio.model.embedded.dialogue.carrying import (
    answered,
    carried_place,
    carried_rest,
    is_asked_again,
    is_asked_back,
    place_named,
)
from agentaudio.model.embedded.dialogue.comparing import compared
from agentaudio.model.embedded.dialogue.earlier_calls import TURNS_BACK, changed_calls
from agentaudio.model.embedded.dialogue.manners import is_bare_manner, names_manner, without_manner
from agentaudio.model.embedded.dialogue.measures import converted
from agentaudio.model.embedded.dialogue.missing import MISSING
from agentaudio.model.embedded.dialogue.negation import forbids, without_forbidden
from agentaudio.model.embedded.dialogue.parts import request_parts, unmarked
from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.reading import CARRIED, CERTAIN, PLAIN, Reading
from agentaudio.model.embedded.dialogue.repeating import same_call
from agentaudio.model.embedded.dialogue.replies import ACTS, DROPPED, reply_to, voice_names
from agentaudio.model.embedded.dialogue.reports import changes_nothing, is_plan, is_report
from agentaudio.model.embedded.dialogue.returns import topic_returned_to
from agentaudio.model.embedded.dialogue.sums import SUM_TOOL, added_up, figured_of, next_sum
from agentaudio.model.embedded.dialogue.thanks import is_thanks
from agentaudio.model.embedded.dialogue.titles import names_other_title
from agentaudio.model.embedded.dialogue.together import switched_together
from agentaudio.model.embedded.dialogue.told_name import about_name
from agentaudio.model.embedded.dialogue.topics import (
    SEARCHES,
    is_short_question,
    with_added_topic,
    with_place,
    with_topic,
)
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.dialogue.undoing import undone
from agentaudio.model.embedded.dialogue.voice_readings import route_to, to_voice
from agentaudio.model.embedded.dialogue.wished_voices import likens, wished_voice
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.router import Router
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.text.sentences import sentences
from agentaudio.text.words import is_question, split_words

MOST_WORDS = 40
"""Words of a request that can depend on earlier turns; a longer one stands alone."""
_FLOOR = 0.15
"""Least probability of a request that stands alone where the router knows a tool for it."""
_NO_TOOL = 0.7
"""Weight of a request that stands alone where the router knows no tool for it."""
_LACKING = 0.5
"""Weight of a request that stands alone but leaves out what an earlier call has."""
_UNKNOWN = 0.8
"""How much words that an act does not explain count against it."""
_WITH_PRONOUN = 0.3
_WISHED, _ADDED, _FIGURED = 0.9, 0.35, 0.7
"""Scores of readings that wish for a voice in so many words, that only fit because no tool answers them by
themselves, and that reckon on with a number of an answer."""
_CLEAR = 0.5
"""Probability at which the last part of a request decides what it does, after parts that only react."""
_LIKELY_ASKS = 0.3
"""Probability of asking for a tool below which a call is less likely than a remark."""
_REMARKS_BETWEEN = 2
"""Turns among which the last call is looked for whose number is reckoned with."""
REACTIONS = ("remark", "okay", "praise", "thanks", "greeting", "wait", "cancel", "presence")


class Understanding:
    """Finds the best reading of a request; several threads may share one.

    router: routes what stands alone
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._acts = Acts(router.embed)
        self._asking = Asking(router.embed)

    def __call__(self, request: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Reading:
        """The best reading of a request as a whole.

        past: the turns before, in order
        """
        request, _ = without_manner(without_forbidden(self._without_reactions(request)))
        words = split_words(request)
        if not words:
            return Reading("new", request, 0.0)
        if len(words) > MOST_WORDS:
            return self._alone(request, 1.0, tools)
        if forbids(request):
            return Reading("forbid", request, 1.0, reply=DROPPED)
        if is_plan(request):
            return Reading("remark", request, 1.0, reply=reply_to("remark", request, tools, past))
        weight = 1.0 if self._asked(past, tools) is not None else min(1.0, self._asking(request) / _LIKELY_ASKS)

        def worth(reading: Reading) -> float:
            doubtful = reading.score < CERTAIN and any(route.tool for route in reading.routes)
            return reading.score * (weight if doubtful else 1.0)

        return max(self._readings(request, past, tools), key=worth)

    def _readings(self, request: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Iterator[Reading]:
        chances = self._chances(request)
        if not any(turn.calls or turn.answer.startswith((MISSING, ABLE)) for turn in past):
            chances = independent(chances)
        if (returned := topic_returned_to(request, past)) is not None:
            turn, request = returned
            if (topic := self._on_topic(request, [turn], {**chances, "about": 1.0}, tools)) is not None:
                yield topic
            else:
                yield from self._readings(request, [turn], tools)
            return
        yield from self._certain(request, past, tools)
        topic = self._on_topic(request, past, chances, tools)
        whole = with_place(request)
        bare = forms.JOINING.sub("", whole)
        alone = self._alone(bare if is_question(bare) else whole, chances["new"], tools)
        lacking = [route.tool for route in alone.routes if route.missing]
        if any(turn.called(str(name)) for name in lacking for turn in past[-TURNS_BACK:]) or (
            re.search(r"\bsame\b", request) and any(route.tool == VOICE_TOOL for route in alone.routes)
        ):
            alone = replace(alone, score=alone.score * _LACKING)  # it more likely changes the call before
        if (carried := carried_place(request, alone.routes, past, tools)) is not None:
            yield replace(alone, score=max(alone.score, CARRIED), routes=carried)
        elif (filled := carried_rest(request, alone.routes, past, tools)) is not None:
            yield replace(alone, score=max(alone.score, CARRIED), routes=filled)
        # A pronoun that stands for an earlier topic hardly leaves a request that stands alone.
        refers = topic is not None and topic.sure and not (names_place(request) and alone.is_plain)
        yield replace(alone, score=alone.score * _WITH_PRONOUN) if refers else alone
        # A value or a name is not explained by an act that has none.
        explained = 1 - _UNKNOWN * self._acts.unknown_share(request) if any(turn.calls for turn in past) else 1.0
        # "What did he say?" is not "what did you say?".
        short = is_short_question(" ".join(split_words(request)))
        explained *= (
            _WITH_PRONOUN if topic is not None and topic.sure and (short or forms.THIRD.search(request)) else 1.0
        )
        for act in ACTS:
            if (reply := reply_to(act, request, tools, past)) is not None:
                weight = _WITH_PRONOUN if act == "source" and topic is not None and topic.sure else 1.0
                if act == "manner" and alone.is_plain and not names_manner(request):
                    weight = 0.0  # "play Blur instead" speaks of no speed or volume
                yield Reading(act, request, chances[act] * explained * weight, reply=reply)
        depends = 1 - chances["new"] - sum(chances[act] for act in ACTS)
        if (asked := self._asked(past, tools)) is not None and (found := answered(request, asked, depends, tools)):
            yield found
        if not changes_nothing(request) and not likens(request) and not forms.EXCLAIMS.match(request):
            yield from changed_calls(request, past, chances, tools)
        by_router = any(route.tool == VOICE_TOOL for route in alone.routes)
        with_more = by_router and len(alone.routes) > 1  # "tell me about Saturn in the voice of a little girl"
        if (
            not with_more
            and not is_report(request)
            and (query := wished_voice(request, past, voice_names(tools))) is not None
        ):
            yield from to_voice(request, query, max(_WISHED, alone.score + 0.01 if by_router else 0.0), tools)
        yield from self._figured(request, past, tools)
        if topic is not None:
            yield topic
        elif all(route.tool is None for route in alone.routes) and (topic := self._added(request, past, tools)):
            yield topic

    def _certain(self, request: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Iterator[Reading]:
        """Readings of which the words leave no doubt."""
        said = " ".join(split_words(request))
        by_name = {tool.name: tool for tool in tools}
        if (taken_back := undone(said, past, tools)) is not None:
            if taken_back.arguments is None:
                yield Reading("undo", request, CERTAIN, reply="I cannot take that back.")
            else:
                route = route_to(by_name[taken_back.tool], taken_back.arguments)
                yield Reading("undo", request, CERTAIN, (route,))
        if (again := same_call(said, past, tools)) is not None:
            yield Reading("again", request, CERTAIN, (route_to(by_name[again.name], again.arguments),))
        if (switched := switched_together(said, past, tools)) is not None:
            yield Reading("edit", request, CERTAIN, tuple(route_to(switched[0], held) for held in switched[1]))
        if is_thanks(request):
            yield Reading("thanks", request, CERTAIN, reply=reply_to("thanks", request, tools, past))
        if (able := able_to(said, self._router, tools)) is not None:
            yield Reading("ability", request, CERTAIN, reply=able)
        if is_bare_manner(request) and (manner := reply_to("manner", request, tools, past)) is not None:
            yield Reading("manner", request, CERTAIN, reply=manner)
        if (named := about_name(said, request, past)) is not None:
            yield Reading("identity", request, CERTAIN if "?" in request or "name" in said else _CLEAR, reply=named)
        if SUM_TOOL in by_name and (whole := added_up(said, past)) is not None:
            yield Reading(
                "sum", whole, CERTAIN, (route_to(by_name[SUM_TOOL], fill(whole, by_name[SUM_TOOL]).arguments),)
            )
        if not past:
            return
        last = past[-1]
        if (told := compared(said, past)) is not None:
            yield Reading("compare", request, CERTAIN, reply=told)
        told = last.answer if last.calls else f"{last.answer} {last.request}"
        if (found := converted(said, told, tools)) is not None and not last.called(found[0].name):
            yield Reading("measure", request, CERTAIN, (route_to(*found),))
        if is_asked_again(said, last) or (last.answer and is_asked_back(said, last)):
            yield Reading("repeat", request, CERTAIN, reply=reply_to("repeat", request, tools, past))
        if forms.MORE_VOICES.fullmatch(said) and any("voice" in turn.answer for turn in past[-2:]):
            yield Reading("voices", request, CERTAIN, reply=reply_to("voices", request, tools, past))
        if (correcting := forms.MEANT.match(said)) is not None:
            rest = said[correcting.end() :]
            meant = self._on_topic(rest, past, {**self._chances(rest), "about": 1.0}, tools)
            alone = self._alone(f"tell me {rest}" if rest.startswith(("the ", "a ")) else rest, 1.0, tools)
            carried = carried_place(f"and {rest}", alone.routes, past, tools)
            if "what" not in rest and all(route.tool is not None and not route.missing for route in alone.routes):
                yield replace(alone, score=CARRIED * alone.score)
            if carried is not None:
                yield replace(alone, score=CARRIED, routes=carried)
            elif meant is not None and meant.sure:
                yield replace(meant, score=CARRIED)

    def _figured(self, request: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Iterator[Reading]:
        """The request as a sum that goes on from the last number of an answer that no sum gave: "half of that"."""
        tool = next((tool for tool in tools if tool.name == SUM_TOOL), None)
        before = next((turn for turn in reversed(past[-_REMARKS_BETWEEN:]) if turn.calls), None)
        if tool is None or before is None or before.called(SUM_TOOL):
            return
        said = " ".join(split_words(request))
        led = forms.RECKONS.match(said) is not None
        figured = figured_of(before) if led or re.search(r"\b(?:that|it|the result)\b", said) else None
        if figured is None:
            return
        if (whole := next_sum(said, figured)) is not None and not (slots := fill(whole, tool)).missing:
            yield Reading("sum", whole, CARRIED if led else _FIGURED, (route_to(tool, slots.arguments),))

    def _added(self, request: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Reading | None:
        """A question that no tool answers by itself, as one about the topic of the search just before."""
        said = " ".join(split_words(request))
        search = next((tool for tool in tools if past and past[-1].called(tool.name) and tool.name in SEARCHES), None)
        if search is None or not is_question(re.sub(r"^(?:and|but|so|or|okay|then|now) ", "", said)):
            return None
        whole = with_added_topic(said, past[-1])
        if whole is None or re.search(r"\b(?:you|your|i|me|my)\b", said):
            return None
        return Reading("about", whole, _ADDED, (route_to(search, fill(whole, search).arguments),))

    def _chances(self, request: str) -> Mapping[str, float]:
        """The probability of each act: of the whole request, or of its parts where those agree."""
        whole = self._acts(request)
        parts = [self._acts(part) for part in forms.COMMAS.split(request) if split_words(part)]
        if len(parts) < 2:
            return whole
        best = [max(part, key=lambda act: part[act]) for part in parts]
        if all(act in (*REACTIONS, "repeat") for act in best[:-1]) and parts[-1][best[-1]] > _CLEAR:
            return parts[-1]  # the others only lead up to it
        if len(set(best)) > 1:
            return whole
        return {act: max(whole[act], min(part[act] for part in parts)) for act in whole}

    def _without_reactions(self, request: str) -> str:
        """The request without leading sentences that only react to the answer before: "That is odd. A man, please"."""
        parts = [part for whole in sentences(request) for part in forms.PARTS.split(whole)]
        while len(parts) > 1 and split_words(parts[0]):
            chances = self._acts(parts[0])
            # "My mum lives in Munich" gives a value for what follows.
            if max(chances, key=lambda act: chances[act]) not in REACTIONS or holds_value(parts[0]):
                break
            parts.pop(0)
        return " ".join(parts)

    def _alone(self, request: str, chance: float, tools: Sequence[ToolSpec]) -> Reading:
        """The request as one that stands alone."""
        routes = requested(request, self._router.route(request, tools), tools)
        called = all(route.tool is not None for route in routes)
        # A call that lacks arguments is as likely as one that has them; the agent asks for them.
        sure = min(route.confidence * (2 if route.missing else 1) for route in routes)
        if called:
            weight = _FLOOR + (1 - _FLOOR) * chance
            # "And what time is it in Chicago" after the weather: both the act and the tool are clear.
            return Reading("new", request, sure * (1.0 if chance > _CLEAR and sure > PLAIN else weight), routes)
        return Reading("new", request, _NO_TOOL * chance + 0.02, routes)

    def _asked(self, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Route | None:
        """The call whose missing arguments the agent asked for; None without one, and after it was dropped."""
        for place in range(len(past) - 1, -1, -1):
            turn = past[place]
            if turn.answer.startswith(MISSING):
                # The past is cut, so that a long row of such questions stays shallow.
                whole, before = unmarked(plain(turn.request)), past[max(0, place - TURNS_BACK) : place]
                read = (route for text in (whole, *request_parts(whole)) for route in self(text, before, tools).routes)
                return next((route for route in read if route.missing), None)
            if turn.answer.startswith(ABLE):
                return offered(plain(turn.request), self._router, tools)
            if turn.calls or turn.answer == DROPPED:
                return None
        return None

    def _on_topic(
        self, request: str, past: Sequence[PastTurn], chances: Mapping[str, float], tools: Sequence[ToolSpec]
    ) -> Reading | None:
        """The request as a question about what the newest call was about."""
        # A voice that was asked for in between is not what one talks about.
        turns = [t for t in reversed(past) if any(call.name != VOICE_TOOL for call in t.calls)]
        if re.search(r"\bits?\b", request) and not forms.THIRD.search(request):
            # "How long is it?" after "when did he die?" is about the thing, not the person.
            turns = [t for t in turns if not forms.PERSON_SAID.search(t.request)] or turns
        turn = next(iter(turns), None)
        if turn is None:
            return None
        named = next((t for t in reversed(past) if t.calls or place_named(t)), turn)
        if not named.calls and forms.THERE.search(request):
            return None  # "there" is the place of a later request, which no tool could serve
        said = " ".join(split_words(request))
        refers = (whole := with_topic(said, turn)) is not None
        if whole is None and not names_other_title(said, turn.request, tools):
            whole = with_added_topic(said, turn) if chances["about"] + chances["more"] > 0.5 else None
        if whole is None:
            return None
        # A question that would stand alone but for its pronoun is one about the topic.
        chance = min(1.0, chances["about"] + chances["more"] + (chances["new"] if refers else 0.0))
        whole = forms.JOINING.sub("", whole)
        found = self._alone(whole, 1.0, tools)
        if any(route.tool is None for route in found.routes):
            search = next((tool for tool in tools if turn.called(tool.name) and tool.name in SEARCHES), None)
            if search is None:
                return None
            found = Reading("about", whole, 0.5, (route_to(search, fill(whole, search).arguments),))
        return Reading("about", whole, (0.2 + 0.8 * chance) * max(found.score, 0.6), found.routes, sure=refers)
