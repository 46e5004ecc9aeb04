"""Asks a model, away from the thread, a question that one word answers, and reads how sure it is.

A small model says more by the odds of its first token than by the token itself: the log-odds of `yes` against `no`,
behind worked pairs of which half are near misses, part right from wrong (docs/reliability.md).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

_LEAST = 1e-6
"""Probability of a word that is not among the likeliest tokens."""


@dataclass(frozen=True, slots=True)
class YesNo:
    """A model that is asked for one word."""

    model: BaseChatModel
    """The bare chat model."""
    arguments: Mapping[str, Any]
    """Its arguments for a reply of one token that tells the likeliest tokens with their log-probabilities."""
    system_role: bool = True
    """Whether its chat template takes a system message."""

    async def log_odds(self, system: str, worked: Sequence[tuple[str, str]], question: str) -> float | None:
        """Return the natural log of P(yes) / P(no) for `question`; None where the server tells no probabilities.

        `worked` are questions with their replies, which stand before it as turns.
        """
        result = await self.model._agenerate(self._prompt(system, worked, question), **self.arguments)
        found = result.generations[0]
        info = {**(found.generation_info or {}), **found.message.response_metadata}
        return _log_odds(info.get("logprobs"))

    def _prompt(self, system: str, worked: Sequence[tuple[str, str]], question: str) -> list[BaseMessage]:
        turns: list[BaseMessage] = []
        for asked, reply in worked:
            turns += [HumanMessage(asked), AIMessage(reply)]
        turns.append(HumanMessage(question))
        if self.system_role:
            return [SystemMessage(system), *turns]
        return [HumanMessage(f"{system}\n\n{turns[0].text}"), *turns[1:]]


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
