"""What a vLLM server is asked about one model: each question is a request whose answer decides."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from agent.backends import probe, wire
from agent.backends.base import ConstraintKind
from agent.errors import A2IAError

THINKING_TOKENS = 1024
"""Longest reply of a model that thinks before it replies: some thirty sentences; a probe is asked once a start."""

_CANARY = "zqx"
"""A word that no model says unasked."""

_LARK_SINCE = (0, 26)
"""The first vLLM that lives through a grammar that it cannot read. Before, the first constraint that anyone sent chose
the parser for all, and a text that this parser cannot read ended the engine: vllm issue 43920, seen with 0.25.1."""

_SERVER = "vllm"
_TURNS = [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 2, "bcde", strict=True)]
_SYSTEM = {"role": "system", "content": "a"}


@dataclass(frozen=True, slots=True)
class Template:
    """What the chat template does with a conversation, seen in `/tokenize`; no token is generated for it."""

    system_role: bool
    """Whether it takes a system message and two user messages in a row, and writes longer threads append-only."""
    tools: str
    """One sentence: what a tool changes in the prompt."""
    takes_tools: bool
    """False only where a tool was seen to change nothing."""
    digest: str
    """Names this template and tokenizer: a hash of the prompts that they made."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """In which language the server holds a reply, and whether the model thought before it."""

    kind: ConstraintKind | None
    thinks: bool


class Questions:
    """The questions, to the model `model` behind `http`."""

    def __init__(self, http: httpx.AsyncClient, model: str) -> None:
        self._http = http
        self._model = model

    async def template(self) -> Template:
        """Have the chat template write a few conversations."""
        user = _TURNS[:1]
        plain, tool, strict, short, long = await asyncio.gather(
            self._tokens(user),
            self._tokens(user, tools=[probe.TOOL]),
            self._tokens([_SYSTEM, *_TURNS[:2], *user, *user]),
            self._tokens([_SYSTEM, *user], add_generation_prompt=False),
            self._tokens([_SYSTEM, *_TURNS[:3]], add_generation_prompt=False),
        )
        if plain is None:
            return Template(await self._chats_with_system(), "The server does not show its prompts.", True, "")
        digest = hashlib.sha256(json.dumps([plain, tool, strict, short, long]).encode()).hexdigest()
        appends = bool(short and long) and (long or [])[: len(short or [])] == short
        takes = tool != plain
        if tool is None:
            said = "The chat template refuses tools."
        elif not takes:
            said = f"The chat template takes no tools: the prompt has {len(plain)} tokens with and without one."
        else:
            said = f"The chat template takes tools (a prompt of {len(plain)} tokens has {len(tool)} with one)."
        return Template(strict is not None and appends, said, takes, digest)

    async def calls_tools(self) -> tuple[bool, str]:
        """Ask with one tool; a server that was started without a tool parser refuses, which is a no."""
        body = {"tools": [probe.TOOL], "tool_choice": "auto", "max_tokens": probe.TOKENS}
        reply = await self._chat(probe.MESSAGES, body)
        if isinstance(reply, str):
            return False, f"Asked with one tool, vLLM refused {reply}"
        return probe.verdict(reply)

    async def constraint(self) -> Constraint:
        """Have the model say a word that it says under a constraint only: a field that vLLM does not know is ignored.

        The Lark text is that of llama.cpp, with what only its parser knows (`%json`): vLLM turns simpler Lark into a
        form for another one. Where vLLM runs with a backend that cannot read it, a JSON schema may hold.
        """
        schema = json.dumps({"enum": [_CANARY]})
        forms: list[tuple[ConstraintKind, str]] = [("json_schema", schema)]
        if await self._outlives_a_grammar():
            forms.insert(0, ("lark", f"%llguidance {{}}\nstart: word\nword: %json {schema}\n"))
        thinks = False
        for kind, constraint in forms:
            reply = await self._chat(probe.MESSAGES, {**field(kind, constraint), "max_tokens": 4 * len(_CANARY)})
            if isinstance(reply, dict):
                thinks = thinks or bool(_thought(reply))
                if str(reply.get("content") or "").strip() == json.dumps(_CANARY):
                    return Constraint(kind, thinks)
        return Constraint(None, thinks)

    async def _outlives_a_grammar(self) -> bool:
        """Say whether a grammar that the server cannot read costs no more than its own request."""
        try:
            version = (await wire.ask(self._http.get("/version"), _SERVER)).get("version")
        except A2IAError:
            return False
        numbers = re.match(r"(\d+)\.(\d+)", str(version))
        return numbers is not None and tuple(map(int, numbers.groups())) >= _LARK_SINCE

    async def _tokens(self, messages: Sequence[dict[str, str]], **more: Any) -> list[int] | None:
        """Return the prompt's tokens, None if the template refuses the conversation or the server the question."""
        body = {"model": self._model, "messages": messages, **more}
        response = await wire.tell(self._http.post("/tokenize", json=body), _SERVER)
        if not response.is_success:
            return None
        tokens = wire.parsed(response, _SERVER).get("tokens")
        return tokens if isinstance(tokens, list) and tokens else None

    async def _chats_with_system(self) -> bool:
        """Ask for one token behind a system message: the way of a server that has no `/tokenize`."""
        return isinstance(await self._chat([_SYSTEM, *_TURNS[:2], *_TURNS[:1], *_TURNS[:1]], {"max_tokens": 1}), dict)

    async def _chat(self, messages: Sequence[dict[str, str]], more: dict[str, Any]) -> dict[str, Any] | str:
        """Return the message of a short reply, or the refusal as text. A model still thinking gets more room once."""
        body = {"model": self._model, "messages": messages, "temperature": 0, **more}
        message = await self._message(body)
        if (
            isinstance(message, dict)
            and _thought(message)
            and not (message.get("content") or message.get("tool_calls"))
        ):
            said = await self._message({**body, "max_tokens": THINKING_TOKENS})
            return {**said, "reasoning": _thought(message)} if isinstance(said, dict) else said
        return message

    async def _message(self, body: dict[str, Any]) -> dict[str, Any] | str:
        response = await wire.tell(self._http.post("/v1/chat/completions", json=body), _SERVER)
        if not response.is_success:
            return f"(HTTP {response.status_code}): {response.text[:200]}"
        reply = wire.parsed(response, _SERVER)
        try:
            message: dict[str, Any] = {**reply["choices"][0]["message"]}
        except (LookupError, TypeError):
            return f"(it answered {json.dumps(reply)[:200]})"
        return message


def _thought(message: dict[str, Any]) -> str:
    """Return the thought of a reply; before 2026 vLLM called the field `reasoning_content`."""
    return str(message.get("reasoning") or message.get("reasoning_content") or "")


def field(kind: ConstraintKind | None, constraint: str) -> dict[str, Any]:
    """Return vLLM's field for a constraint; `guided_grammar` of before 0.12 is ignored without a word by later ones."""
    if kind == "json_schema":
        return {"structured_outputs": {"json": json.loads(constraint)}}
    return {"structured_outputs": {"grammar": constraint}}
