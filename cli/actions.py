"""What the slash commands do."""

from agent.policy import needs_approval
from cli.commands import help_text
from cli.debug import DebugLog
from cli.opening import Opening
from cli.page import Page


class Actions:
    """Runs slash commands; those that need the runtime wait for it."""

    def __init__(self, page: Page, opening: Opening, debug: DebugLog) -> None:
        self._page = page
        self._opening = opening
        self._debug = debug
        self._known = {
            "/help": self._help,
            "/tools": self._tools,
            "/mcp": self._mcp,
            "/model": self._model,
            "/clear": self._clear,
            "/debug": self._switch_debug,
        }

    async def run(self, name: str, argument: str) -> None:
        """Run the command `name`."""
        if name in self._known:
            await self._known[name](argument)
        else:
            self._page.note(f"There is no command {name}; /help lists them.")

    def _list(self, lines: list[str]) -> None:
        self._page.screen.say("\n".join(self._page.renderer.clip(line, self._page.width) for line in lines))

    async def _help(self, argument: str) -> None:
        self._list(help_text().split("\n"))

    async def _tools(self, argument: str) -> None:
        runtime = await self._opening.ready()
        settings, rows = runtime.settings, []
        for tool in runtime.tools:
            metadata = tool.metadata or {}
            asks = "asks" if needs_approval(metadata, tool.name, settings.allow, settings.yes) else "runs"
            rows.append(f"  {tool.name:<18} {asks}  {metadata.get('server', '')}: {tool.description}")
        self._list(rows or ["  no tools"])

    async def _mcp(self, argument: str) -> None:
        rows = []
        for server in self._opening.servers():
            rest = server.error or f"{server.tools} tools, up in {server.seconds:.1f} s"
            rows.append(f"  {server.name:<18} {server.state:<9}{'' if server.state == 'starting' else rest}")
        self._page.screen.say("\n".join(self._page.renderer.wrap(row, self._page.width) for row in rows))
        if not rows:
            self._page.note("No MCP servers.")

    async def _model(self, argument: str) -> None:
        runtime = await self._opening.ready()
        if argument:
            await runtime.change_model(argument, self._opening.report)
            self._opening.introduce()
            return
        profile = runtime.profile
        self._list([f"  {profile.model} on {runtime.backend}, window {profile.window} tokens"])
        self._page.note(profile.evidence)

    async def _clear(self, argument: str) -> None:
        (await self._opening.ready()).clear()
        self._page.screen.clear()
        self._page.note("A new conversation.")

    async def _switch_debug(self, argument: str) -> None:
        on = self._debug.toggle()
        self._page.note(f"debug output {'on: you see exactly what the model is sent' if on else 'off'}")
