"""The model server and the MCP servers come up, visibly, while the user already types."""

import asyncio
import time
from contextlib import AsyncExitStack

from agent.backends.base import Progress
from agent.config import Settings
from agent.errors import ModelMissing
from agent.mcp.servers import check_workspace
from agent.mcp.toolbox import ServerStatus, Toolbox
from agent.mcp.trust import is_trusted, remember
from cli.approvals import Asker
from cli.page import Page
from cli.runtime import Runtime, open_runtime


class Opening:
    """Opens the runtime in a task of its own; `live` tells how far it is."""

    def __init__(self, page: Page, settings: Settings) -> None:
        self.runtime: Runtime | None = None
        """The runtime, once it is ready."""
        self._page = page
        self._settings = settings
        self._toolbox: Toolbox | None = None
        self._step = Progress("starting")
        self._since = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self.task: asyncio.Task[Runtime]

    async def ask_trust(self) -> None:
        """Ask once per folder whether the project's `.mcp.json` may start its programs."""
        project = check_workspace(self._settings) / ".mcp.json"
        if not project.is_file() or self._settings.yes or is_trusted(project):
            return
        question = f"{project} starts programs of this project. Use it, now and later? [y]es or [n]o"
        answer = await self._page.screen.ask(self._page.renderer.wrap(question, self._page.width, ""))
        if (answer or "").strip().lower() in {"y", "yes"}:
            remember(project)

    def start(self, stack: AsyncExitStack) -> None:
        """Begin to open; `stack` closes."""
        self.task = asyncio.create_task(self._open(stack))

    async def stop(self) -> None:
        """Break the opening off, if it is under way."""
        self.task.cancel()
        await asyncio.wait({self.task})

    async def ready(self) -> Runtime:
        """Wait for the runtime. A wait that is cancelled leaves the opening alone."""
        return await asyncio.shield(self.task)

    def servers(self) -> list[ServerStatus]:
        """Tell how the MCP servers are doing."""
        return self._toolbox.status() if self._toolbox else []

    def report(self, step: Progress) -> None:
        """Take a step of the model server. May be called from any thread.

        Once all is open, it is written above the turn: its server starts anew, or is busy.
        """
        if (self._page.screen.streams or self.runtime) and step.text != self._step.text:
            self._loop.call_soon_threadsafe(self._page.note, step.text)
        self._step = step

    def live(self, width: int) -> list[str]:
        """Return a line for the model server and one for the MCP servers that are still starting."""
        paint, seconds = self._page.paint, time.monotonic() - self._since
        lines = [f"{self._step.text}{_amount(self._step)}, {seconds:.0f} s"]
        waited = [status.name for status in self.servers() if status.state == "starting"]
        if waited:
            lines.append(f"starting MCP servers: {', '.join(waited)}")
        return [paint("dim", f"{paint.spinner(seconds)} {self._page.renderer.clip(line, width - 3)}") for line in lines]

    async def _open(self, stack: AsyncExitStack) -> Runtime:
        allow = [*self._settings.allow]
        self._settings = self._settings.model_copy(update={"allow": allow})
        asker = Asker(self._page, self._settings.workspace.expanduser(), allow)
        try:
            self.runtime = await self._opened(stack, asker)
        except ModelMissing as error:
            self._settings = self._settings.model_copy(update={"model": await self._offer(error)})
            self.runtime = await self._opened(stack, asker)
        asker.know([tool.name for tool in self.runtime.tools if (tool.metadata or {}).get("builtin")])
        self.introduce()
        return self.runtime

    async def _opened(self, stack: AsyncExitStack, asker: Asker) -> Runtime:
        opening = open_runtime(
            self._settings, self.report, self._page.warning, approve=asker.approve, strict=False, watch=self._watch
        )
        return await stack.enter_async_context(opening)

    async def _offer(self, error: ModelMissing) -> str:
        """Return a model that stands in for the missing one, if the user takes it; raises `error` if not."""
        if not error.choices:
            raise error
        self._page.note(f"{error.message} It has {', '.join(error.choices)}.")
        question = f"Use {error.choices[0]}? [y]es, [n]o, or the name of another"
        answer = (await self._page.screen.ask(self._page.renderer.wrap(question, self._page.width, "")) or "").strip()
        if answer in error.choices:
            return answer
        if answer.lower() not in {"y", "yes"}:
            raise error
        return error.choices[0]

    def introduce(self) -> None:
        """Say who answers."""
        if self.runtime:
            runtime = self.runtime
            said = f"{runtime.profile.model} on {runtime.backend}, {len(runtime.tools)} tools. /help tells more."
            self._page.note(said)

    def _watch(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox


def _amount(step: Progress) -> str:
    if not step.total or step.done is None:
        return ""
    return f": {step.done / step.total:.0%} of {step.total / 1e6:,.0f} MB"
