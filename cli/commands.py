"""The slash commands: names, and what they say of themselves. Cheap to import."""

COMMANDS = {
    "/help": "this list",
    "/tools": "the tools that the model can call, and which of them ask first",
    "/mcp": "the MCP servers and how they are doing",
    "/model": "the model; /model NAME or BACKEND:NAME changes it and keeps the conversation",
    "/clear": "begin a new conversation",
    "/debug": "show exactly what the model is sent, or stop showing it",
    "/exit": "leave (also Ctrl-D)",
}
KEYS = {
    "Ctrl-C": "stop the answer; twice: leave",
    "Esc Enter": "a new line in the prompt",
    "Up, Ctrl-R": "earlier prompts",
}
LEAVE = frozenset({"/exit", "/quit"})


def help_text() -> str:
    """Return what /help shows."""
    rows = [f"  {name:<11}{text}" for name, text in (COMMANDS | KEYS).items()]
    return "\n".join([*rows, "What you enter while an answer comes waits for its turn."])


def resolve(line: str) -> tuple[str, str] | None:
    """Return a line's command and argument, None if it is a prompt. A beginning that fits one command is enough."""
    word, *rest = line.split(maxsplit=1) or [""]
    argument = rest[0] if rest else ""
    if not word.startswith("/") or "/" in word[1:]:
        return None
    if word in LEAVE:
        return "/exit", ""
    fitting = [name for name in COMMANDS if name == word] or [name for name in COMMANDS if name.startswith(word)]
    return (fitting[0] if len(fitting) == 1 and word != "/" else word), argument.strip()
