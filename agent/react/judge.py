"""Asks the model, away from the thread, whether a tool that it chose is needed at all.

A small model that is offered tools calls one, whatever it is asked. Asked in a short conversation of its own, with
worked pairs of which half are near misses, the same model knows better: the log-odds of `yes` against `no` at the
first token of its reply part fit from unfit choices (benchmarks/judge.py, docs/reliability.md).
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from agent.react.examples import one_line

_REQUEST_CHARS = 600
_DESCRIPTION_CHARS = 300
_LEAST = 1e-6
"""Probability of a word that is not among the likeliest tokens."""

_SYSTEM = "You check whether a program has to be run for what a user asks. Reply with one word, yes or no."

_WORKED = (
    ("Will it rain in Lisbon tomorrow?", "Get the weather forecast of a city.", "yes"),
    ("Will it rain in Lisbon tomorrow?", "Get the current time in a city.", "no"),
    ("Tell Anna's manager that the report is done.", "Find the manager of a person.", "yes"),
    ("What is the capital of Peru?", "List the files in a folder.", "no"),
    ("Cancel my flight to Rome.", "Search for the cheapest flight between two cities.", "no"),
    ("Correct the spelling of Bern in the notes of our trip.", "Find text in the files of a folder.", "yes"),
    ("How long is 20 miles in kilometres?", "Convert a length from one unit to another.", "yes"),
    ("What does it mean that a number is prime?", "Check whether a number is prime.", "no"),
)
"""Requests, what a program does, and the reply: two near misses, two steps of longer work, two that need no program."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge said of a call."""

    tool: str
    odds: float
    """Natural log of P(yes) / P(no)."""
    threshold: float
    seconds: float

    @property
    def declined(self) -> bool:
        """Whether the tool counts as not needed."""
        return self.odds < self.threshold


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells how far a tool is needed for a request, as the model sees it."""

    model: BaseChatModel
    """The bare chat model."""
    arguments: Mapping[str, Any]
    """Its arguments for a reply of one token that tells the likeliest tokens with their log-probabilities."""
    system_role: bool = True
    """Whether its chat template takes a system message."""
    threshold: float = -math.inf
    """The log-odds below which a tool is declined."""

    async def verdict(
        self, messages: Sequence[BaseMessage], tool: Mapping[str, Any], *, always: bool = False
    ) -> Verdict | None:
        """Judge a call of `tool` (an OpenAI function spec) as the next step of the thread `messages`.

        None where it needs no judge: in the middle of work (unless `always`), in a conversation that goes on, and where
        the user named the tool; and where the server tells no probabilities.
        """
        request = only_request(messages)
        if not always and any(isinstance(message, AIMessage) for message in messages):
            return None
        if request is None or tool["name"] in request:
            return None
        began = time.monotonic()
        odds = await self.log_odds(request, tool)
        if odds is None:
            return None
        return Verdict(tool["name"], odds, self.threshold, time.monotonic() - began)

    async def log_odds(self, request: str, tool: Mapping[str, Any]) -> float | None:
        """Return the natural log of P(yes) / P(no) that `tool` is needed for `request`; None where it is not told."""
        prompt = _prompt(request, tool, system_role=self.system_role)
        result = await self.model._agenerate(prompt, **self.arguments)
        found = result.generations[0]
        info = {**(found.generation_info or {}), **found.message.response_metadata}
        return _log_odds(info.get("logprobs"))


def names_what_is_read(messages: Sequence[BaseMessage], arguments: str) -> bool:
    """Say whether the user named a path or an address that is a value in `arguments`, JSON: to read it is asked for."""
    request = only_request(messages) or ""
    places = [place.strip("./") for place in re.findall(r'"([^"\\]*[./][^"\\]*)"', arguments)]
    named = [place for place in places if re.search(r"[./]", place)]
    return any(re.search(rf"(?<![\w./-]){re.escape(place)}(?![\w/-])", request) for place in named)


def only_request(messages: Sequence[BaseMessage]) -> str | None:
    """Return what the user asked for if it was one thing, else None."""
    asked = [message.text for message in messages if isinstance(message, HumanMessage)]
    return asked[0] if len(asked) == 1 else None


def _prompt(request: str, tool: Mapping[str, Any], *, system_role: bool) -> list[BaseMessage]:
    does = one_line(str(tool.get("description") or tool["name"]))[:_DESCRIPTION_CHARS]
    pairs = [(_question(asked, program), reply) for asked, program, reply in _WORKED]
    turns: list[BaseMessage] = []
    for question, reply in pairs:
        turns += [HumanMessage(question), AIMessage(reply)]
    turns.append(HumanMessage(_question(one_line(request)[:_REQUEST_CHARS], does)))
    if system_role:
        return [SystemMessage(_SYSTEM), *turns]
    return [HumanMessage(f"{_SYSTEM}\n\n{turns[0].text}"), *turns[1:]]


def _question(request: str, program: str) -> str:
    return (
        f"The user asks: {request}\nThe program: {program}\n"
        "Is running this program a needed step towards exactly what the user asks for?"
    )


def _log_odds(logprobs: Any) -> float | None:
    """Read the first token's likeliest tokens in OpenAI's form, or in Ollama's, a list without the outer object."""
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else logprobs
    if not isinstance(tokens, Sequence) or not tokens:
        return None
    likeliest = tokens[0].get("top_logprobs") or []
    total = {"yes": _LEAST, "no": _LEAST}
    for entry in likeliest:
        word = str(entry["token"]).strip().lower()
        if word in total:
            total[word] += math.exp(entry["logprob"])
    return math.log(total["yes"] / total["no"])
