"""Asks the model, away from the thread, whether a tool that it chose is needed, and whether its answer is complete.

A small model that is offered tools calls one, whatever it is asked, and answers before it has looked at all that it
has to. Asked in a short conversation of its own, the same model knows better (docs/reliability.md).
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agent.react.examples import BUILT_IN
from agent.react.judging import completion, need
from agent.react.judging.yes_no import YesNo
from agent.react.told import evidence, shared_words

FEW = 7
"""Most tools of a thread of which each is looked at: it takes half a second to one and a half on 2 cores."""

_TELLING = 2
"""Words that a tool has to share with a request to be looked at in place of one that shares none."""

_BETTER = 1.0
"""How much more than needed a tool has to be that stands in place of another, in log-odds (docs/reliability.md)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge said of a call, or of an answer."""

    tool: str
    """The tool of the call; empty for an answer."""
    odds: float
    """Natural log of P(yes) / P(no); of another server's tool with what the request itself tells (`told.evidence`)."""
    threshold: float
    seconds: float
    instead: str | None = None
    """The tool that is needed in place of this one."""

    @property
    def declined(self) -> bool:
        """Whether the tool counts as not needed or not the right one, the answer as not complete."""
        return self.odds < self.threshold or self.instead is not None


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells how far a tool is needed for a request, and an answer complete, as the model sees it."""

    asked: YesNo
    needed: float = -math.inf
    """The log-odds below which a tool is declined."""
    complete: float = -math.inf
    """The log-odds below which an answer is not taken for complete."""

    @property
    def judges_answers(self) -> bool:
        """Whether a threshold for answers is known."""
        return self.complete > -math.inf

    async def of_call(
        self,
        messages: Sequence[BaseMessage],
        tool: Mapping[str, Any],
        arguments: Mapping[str, Any],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        always: bool = False,
    ) -> Verdict | None:
        """Judge a call of `tool`, one of `tools` (OpenAI function specs), as the next step of the thread `messages`.

        None where it needs no judge: in the middle of work (unless `always`), in a conversation that goes on, and where
        the user named the tool; and where the server tells no probabilities.
        """
        request = only_request(messages)
        if not always and any(isinstance(message, AIMessage) for message in messages):
            return None
        if request is None or tool["name"] in request:
            return None
        began = time.monotonic()
        odds = await self.fit(request, tool, arguments)
        if odds is None:
            return None
        instead = await self._instead(request, tool, odds, tools)
        return Verdict(tool["name"], odds, self.needed, time.monotonic() - began, instead)

    async def _instead(
        self, request: str, tool: Mapping[str, Any], odds: float, tools: Sequence[Mapping[str, Any]]
    ) -> str | None:
        """Return which of `tools` is needed in place of `tool`.

        One of few where this one is declined, and where the request shares no word with it, one with which it does.
        """
        others = [other for other in tools if other["name"] != tool["name"]]
        if odds < self.needed:
            asked, least = others if len(tools) <= FEW else [], self.needed + _BETTER
        elif tool["name"] in BUILT_IN or shared_words(request, tool):
            return None
        else:
            foreign = (other for other in others if other["name"] not in BUILT_IN)
            asked = [other for other in foreign if shared_words(request, other) >= _TELLING][:FEW]
            least = odds + _BETTER
        fits = [(await self.fit(request, other), str(other["name"])) for other in asked]
        best, name = max(((fit, name) for fit, name in fits if fit is not None), default=(-math.inf, None))
        return name if best >= least else None

    async def of_answer(self, turn: Sequence[BaseMessage], answer: str) -> Verdict | None:
        """Judge `answer` as the end of `turn`, which begins with its request. None where the server tells nothing."""
        began = time.monotonic()
        odds = await self.completeness(turn[0].text, completion.steps(turn), answer)
        return None if odds is None else Verdict("", odds, self.complete, time.monotonic() - began)

    async def fit(
        self, request: str, tool: Mapping[str, Any], arguments: Mapping[str, Any] | None = None
    ) -> float | None:
        """Return the log-odds that `tool` is needed, with what the request itself tells of another server's tool.

        A2IA's own tools say nothing of what a request is about, so its words and values tell nothing of them.
        """
        odds = await self.need(request, tool)
        return odds if odds is None or tool["name"] in BUILT_IN else odds + evidence(request, tool, arguments)

    async def need(self, request: str, tool: Mapping[str, Any]) -> float | None:
        """Return the log-odds that `tool` is needed for `request`; None where the server does not tell."""
        return await self.asked.log_odds(need.SYSTEM, need.WORKED, need.question(request, tool))

    async def completeness(self, request: str, steps: Sequence[str], answer: str) -> float | None:
        """Return the log-odds that `answer` after `steps` does all that `request` asks for; None as above."""
        question = completion.question(request, steps, answer)
        return await self.asked.log_odds(completion.SYSTEM, completion.WORKED, question)


def names_what_is_read(messages: Sequence[BaseMessage], arguments: str) -> bool:
    """Say whether the user named a path or an address that is a value in `arguments`, JSON: to read it is asked for."""
    request = only_request(messages) or ""
    places = [place.strip("./") for place in re.findall(r'"([^"\\]*[./][^"\\]*)"', arguments)]
    named = [place for place in places if re.search(r"[./]", place)]
    return any(re.search(rf"(?<![\w./-]){re.escape(place)}(?![\w/-])", request) for place in named)


def last_turn(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """Return the messages from the last request on; none where nothing was asked."""
    asked = [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
    return messages[asked[-1] :] if asked else []


def only_request(messages: Sequence[BaseMessage]) -> str | None:
    """Return what the user asked for if it was one thing, else None."""
    asked = [message.text for message in messages if isinstance(message, HumanMessage)]
    return asked[0] if len(asked) == 1 else None
