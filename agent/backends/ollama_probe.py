"""Evidence of what an Ollama model does with tools and with a system message.

`/api/show` and the prompt that Ollama renders (`_debug_render_only`, without running the model) can rule native tool
calls out; only a call that comes back rules them in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from agent.backends import probe, wire

Send = Callable[..., Awaitable[httpx.Response]]
"""Posts messages to `/api/chat` with the run's options; keyword arguments are further fields of the body."""

THINKING_TOKENS = 1024
"""Longest reply of a model that thinks although it was asked not to (gpt-oss knows no other way)."""

RESULT = "The meeting is on Tuesday."
_CALLED: list[dict[str, Any]] = [
    {"role": "user", "content": "What does notes.txt say?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c1", "function": {"name": "read_file", "arguments": {"path": "notes.txt"}}}],
    },
    {"role": "tool", "tool_name": "read_file", "tool_call_id": "c1", "content": RESULT},
]

_ROLES = ("system", "user", "assistant", "user", "user")
_SAID = [{"role": role, "content": f"said{number}"} for number, role in enumerate(_ROLES)]


async def calls_tools(send: Send, shown: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether the model calls tools itself, and the evidence. `shown` is what `/api/show` says."""
    abilities = shown.get("capabilities")
    if abilities is not None and "tools" not in abilities:
        return False, f"Ollama says that the model takes no tools: {', '.join(abilities)}."
    against = await _prompt_against(send)
    if against:
        return False, against
    thinks = "thinking" in (abilities or [])
    return await _ask(send, thinks=thinks)


async def _prompt_against(send: Send) -> str:
    """Return what in the rendered prompt rules native calls out, if anything does. An old Ollama renders nothing."""
    with_tools = await _rendered(send, probe.MESSAGES, tools=[probe.TOOL])
    if with_tools is None:
        return ""
    if with_tools == await _rendered(send, probe.MESSAGES):
        return "Ollama renders the same prompt with tools as without."
    after = await _rendered(send, _CALLED, tools=[probe.TOOL])
    return "" if after is None or RESULT in after else "Ollama leaves a tool's result out of the prompt."


async def _ask(send: Send, *, thinks: bool) -> tuple[bool, str]:
    """Ask with one tool, without a thought; a refusal or a failure of Ollama's own tool parser is a no."""
    fields = {"tools": [probe.TOOL], **({"think": False} if thinks else {})}
    response = await send(probe.MESSAGES, tokens=probe.TOKENS, **fields)
    if thinks and response.is_success and _cut_while_thinking(wire.parsed(response, "ollama")):
        response = await send(probe.MESSAGES, tokens=THINKING_TOKENS, tools=[probe.TOOL])
    if not response.is_success:
        return False, f"Asked with one tool, Ollama refused (HTTP {response.status_code}): {response.text[:200]}"
    return probe.verdict(wire.parsed(response, "ollama").get("message") or {})


def _cut_while_thinking(reply: Mapping[str, Any]) -> bool:
    message = reply.get("message") or {}
    return reply.get("done_reason") == "length" and bool(message.get("thinking")) and not message.get("tool_calls")


async def takes_system_role(send: Send) -> bool:
    """Say whether the template writes a system message as a turn of its own, at its place, and roles may repeat.

    An Ollama that cannot render is believed. A template that refuses, drops the message, or moves it into a user's turn
    (Mistral's puts it into the last one, so that no prompt would begin as the one before) takes none.
    """
    response = await send(_SAID, tokens=1, _debug_render_only=True)
    if not response.is_success:
        return False
    text = _template(wire.parsed(response, "ollama"))
    if text is None:
        return True
    places = [text.find(message["content"]) for message in _SAID]
    between = text[places[0] + len(_SAID[0]["content"]) : places[1]]
    return -1 not in places and places == sorted(places) and bool(between.strip())


async def _rendered(send: Send, messages: Sequence[Mapping[str, Any]], **fields: Any) -> str | None:
    response = await send(messages, tokens=1, _debug_render_only=True, **fields)
    return _template(wire.parsed(response, "ollama")) if response.is_success else None


def _template(reply: Mapping[str, Any]) -> str | None:
    text = (reply.get("_debug_info") or {}).get("rendered_template")
    return text if isinstance(text, str) else None
