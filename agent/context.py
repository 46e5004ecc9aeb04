"""Keeps what a model reads within its served window."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage, ToolMessage

CHARS_PER_TOKEN = 3
"""Low estimate for source code under the Qwen2.5 and Llama 3 tokenizers (prose is nearer to 4)."""

_SHORT_OBSERVATION = 300


def observation_chars(window: int) -> int:
    """Return the most characters that one tool result may bring into a window of `window` tokens: a quarter of it."""
    return window * CHARS_PER_TOKEN // 4


def tools_chars(window: int) -> int:
    """Return the most characters that the tools should take in a window of `window` tokens: half of it."""
    return window * CHARS_PER_TOKEN // 2


def cut_text(text: str, limit: int) -> str:
    """Return `text`, or its head and tail with a line between them that says how much is left out.

    `limit` is in characters and includes that line.
    """
    if len(text) <= limit:
        return text
    note = f"\n[... {len(text) - limit} characters left out; ask for a smaller part to see them ...]\n"
    room = max(limit - len(note), 0)
    head = room * 2 // 3
    return text[:head] + note + text[len(text) - (room - head) :]


def shorten_observations(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return `messages` with every tool result but the last cut to a few lines, for a thread that outgrew its window.

    The thread itself keeps them whole; what a person said is never cut.
    """
    results = [place for place, message in enumerate(messages) if isinstance(message, ToolMessage)]
    old = set(results[:-1])
    return [
        message.model_copy(update={"content": cut_text(message.text, _SHORT_OBSERVATION)})
        if position in old
        else message
        for position, message in enumerate(messages)
    ]
