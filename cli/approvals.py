"""Asks for a person's yes, and shows first what would happen."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.page import Page
from graphs.events import PendingCall
from graphs.session import Decisions
from tools.errors import ToolFailure
from tools.preview import diff_of
from tools.workspace import Workspace

_MAX_LINES = 200
_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_NO = re.compile(r"no?\b[\s,.:;-]*", re.IGNORECASE)


class Asker:
    """Asks call by call; remembers what may always run in this session."""

    def __init__(self, page: Page, workspace: Path, allow: list[str]) -> None:
        """`allow` is the settings' own, to which the tools of other servers come that may always run."""
        self._allow = allow
        self._page = page
        self._screen = page.screen
        self._paint = page.paint
        self._workspace = workspace
        self._builtin: frozenset[str] = frozenset()
        self._always: set[tuple[str, str]] = set()

    def know(self, builtin: Sequence[str]) -> None:
        """Learn which tools are our own, so that what they would do can be shown."""
        self._builtin = frozenset(builtin)

    async def approve(self, calls: Sequence[PendingCall]) -> Decisions:
        """Return a decision for each of `calls`."""
        return {call.id: await self._decide(call) for call in calls}

    async def _decide(self, call: PendingCall) -> dict[str, Any]:
        if self._scope(call) in self._always:
            return {"decision": "approve"}
        where = f" of {call.server}" if call.server and call.tool not in self._builtin else ""
        self._screen.say(f"{self._paint('yellow', '?')} {self._paint('bold', self._paint.safe(call.tool + where))}")
        self._screen.say(self._preview(call))
        answer = await self._answer(call)
        if answer.lower() in {"a", "always"}:
            self._always.add(self._scope(call))
            if call.tool not in self._builtin:
                self._allow.append(call.tool)  # a call that nobody is asked for is not made twice for nothing
        if answer.lower() in {"y", "yes", "a", "always"}:
            return {"decision": "approve"}
        return {"decision": "deny", "reason": _NO.sub("", answer, count=1) if _NO.match(answer) else answer}

    async def _answer(self, call: PendingCall) -> str:
        """Return the answer; Ctrl-D is a no."""
        always = "this command" if self._scope(call)[1] else self._paint.safe(call.tool)
        question = f"Run it? [y]es, [a]lways {always} in this session, [n]o, or why not"
        return (await self._screen.ask(self._page.renderer.wrap(question, self._page.width, "")) or "n").strip()

    def _scope(self, call: PendingCall) -> tuple[str, str]:
        """Return what an "always" covers: a tool, but of the shell only the very command."""
        is_shell = call.tool == "execute_command" and call.tool in self._builtin
        return call.tool, str(call.args.get("command", "")) if is_shell else ""

    def _preview(self, call: PendingCall) -> str:
        if call.tool not in self._builtin:
            return self._fields(call.args)
        if call.tool == "execute_command":
            rest = {name: value for name, value in call.args.items() if name != "command"}
            command = self._paint.safe(str(call.args.get("command", ""))).replace("\n", "\n    ")
            return "\n".join(filter(None, [f"  $ {command}", self._fields(rest)]))
        try:
            diff = diff_of(Workspace(self._workspace), call.tool, call.args)
        except ToolFailure as failure:
            why = self._page.renderer.wrap(f"It would fail: {failure}", self._page.width)
            return f"{self._fields(call.args)}\n{self._paint('yellow', why)}"
        return self._fields(call.args) if diff is None else self._limited([self._diff_line(line) for line in diff])

    def _diff_line(self, line: str) -> str:
        colour = _DIFF_COLOURS.get(line[:1])
        text = "  " + self._paint.safe(line)
        return self._paint(colour, text) if colour else text

    def _fields(self, args: Mapping[str, Any]) -> str:
        lines = []
        for name, value in args.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            lines += self._paint.safe(f"  {name}: {text}").replace("\n", "\n    ").split("\n")
        return self._limited(lines)

    def _limited(self, lines: list[str]) -> str:
        left_out = len(lines) - _MAX_LINES
        shown = lines if left_out <= 0 else [*lines[:_MAX_LINES], f"  ({left_out} more lines are not shown)"]
        return "\n".join(shown)
