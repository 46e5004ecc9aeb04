"""Every error that A2IA raises on purpose.

    A2IAError                    exit  stop reason
    ├── UsageError                 2   error        a flag or value that cannot be used
    │   └── ConfigError            2   error        a configuration file: names file, line and key
    ├── McpServerError             2   error        an MCP server that cannot be started or reached
    └── ModelServerError           3   error        the model server is unreachable or failed
        ├── WeightsUnavailable     3   error        the model's weights can be had from nowhere
        └── ContextOverflow        5   overflow     the prompt is longer than the served window

Each carries one sentence that says what happened and to what, and one that says what to do next.
Exceptions of foreign libraries become one of these in `map_model_error` and nowhere else.
"""

import re
from pathlib import Path
from typing import ClassVar


class A2IAError(RuntimeError):
    """An expected failure: `message` says what happened to what, `hint` what to do next.

    A RuntimeError, since the LangGraph server hides from its clients what other exceptions say.
    """

    exit_code: ClassVar[int] = 1
    stop_reason: ClassVar[str] = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class UsageError(A2IAError):
    """A flag, a name or a value that cannot be used."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file that cannot be used; the message names the file, the line and the key."""

    def __init__(self, path: Path, problem: str, *, line: int | None = None, key: str = "", hint: str = "") -> None:
        where = f"{path}" + (f", line {line}" if line else "") + (f", key {key}" if key else "")
        super().__init__(f"{where}: {problem}", hint or f"Correct {path.name} and try again.")


class McpServerError(A2IAError):
    """An MCP server that could not be started, did not answer in time, or went away."""

    exit_code = 2


class ModelServerError(A2IAError):
    """The model server is unreachable, refused the request, or broke off."""

    exit_code = 3


class WeightsUnavailable(ModelServerError):
    """The weights of a model can be had neither from the cache, nor the hub, nor the mirror."""


class ContextOverflow(ModelServerError):
    """The prompt does not fit the window that the server was started with; sizes in tokens."""

    exit_code = 5
    stop_reason = "overflow"

    def __init__(self, prompt_tokens: int | None, window: int | None) -> None:
        sizes = f" ({prompt_tokens} tokens into {window})" if prompt_tokens and window else ""
        super().__init__(
            f"The conversation no longer fits the model's window{sizes}.",
            "Ask for a smaller part (a line range, a narrower search), or start a new thread.",
        )


_OVERFLOW_WORDS = re.compile(
    r"exceed\w* (the )?(available |maximum )?context|maximum context length|context size", re.I
)
_OVERFLOW_NUMBERS = re.compile(r"\((\d+) tokens\).{0,60}?\((\d+) tokens\)", re.S)


def map_model_error(error: Exception, server: str) -> A2IAError:
    """Turn an exception of openai, httpx or ollama, raised while asking `server`, into one of ours.

    Errors of ours pass through. An exception that no known library raises is returned as `ModelServerError`
    only if it is a transport error; anything else is a bug and is raised again.
    """
    if isinstance(error, A2IAError):
        return error
    kind = type(error)
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    text = " ".join(str(error).split())[:500]
    if _OVERFLOW_WORDS.search(text):
        numbers = _OVERFLOW_NUMBERS.search(text)
        return ContextOverflow(int(numbers[1]), int(numbers[2])) if numbers else ContextOverflow(None, None)
    if "timeout" in kind.__name__.lower() or isinstance(error, TimeoutError):
        return ModelServerError(
            f"The {server} server did not answer in time.", "Give it longer with --timeout SECONDS, or ask for less."
        )
    status = getattr(error, "status_code", None)
    if status is not None:
        return ModelServerError(f"The {server} server refused the request (HTTP {status}): {text}")
    if roots & {"httpx", "httpcore", "openai", "ollama"} or isinstance(error, ConnectionError):
        return ModelServerError(
            f"The {server} server broke off or could not be reached: {text or kind.__name__}.",
            "Run the same command again; if it happens twice, look at the server's log.",
        )
    raise error
