import os
import shutil
from pathlib import PurePath

from tools.errors import ToolFailure
from tools.process import Finished, run
from tools.text import RESULT_CHARS, shown, terminal_text
from tools.workspace import Workspace

_MAX_COMMAND = 100_000
MAX_TIMEOUT_S = 600
"""The most seconds that a command may be given."""
_OUTPUT = RESULT_CHARS - 200
_NOT_RUN = (126, 127)
"""Exit codes of a shell that can not run a command: not executable, not found (POSIX, 2.8.2)."""
_RUNNERS = {".py": "python3", ".js": "node", ".rb": "ruby", ".pl": "perl", ".bash": "bash"}
_QUIET = {
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
}


class Shell:
    """The tool that runs commands; what may be run is the client's matter, how long and how much is decided here."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def execute_command(self, command: str, timeout: int = 30) -> str:
        """Run a shell command in the workspace; timeout is in seconds.

        Gives the exit code and what the command wrote. It has no input, and what it leaves running ends with it.

        Raises:
            ToolFailure: the command is no text to run, or it took too long.
        """
        if not command.strip():
            raise ToolFailure("command is empty: give a shell command, for example ls -la.")
        if "\0" in command or len(command.encode()) > _MAX_COMMAND:
            raise ToolFailure("command has a zero character in it or is too long: write a script to a file and run it.")
        if not 1 <= timeout <= MAX_TIMEOUT_S:
            raise ToolFailure(f"timeout is {timeout}, but must be from 1 to {MAX_TIMEOUT_S} seconds.")
        ended = await run(
            [shutil.which("bash") or "/bin/sh", "-c", "--", command],
            folder=self._workspace.root,
            environment=_environment(),
            timeout=timeout,
            keep=(_OUTPUT // 2, _OUTPUT // 2),
            merge=True,
        )
        return _report(ended, timeout) + (self._how_to_run(command) if ended.code in _NOT_RUN else "")

    def _how_to_run(self, command: str) -> str:
        """Tell how a file of the workspace is run, if `command` begins with its bare name."""
        name = command.split(maxsplit=1)[0].removeprefix("./")
        try:
            is_file = not name.startswith("/") and self._workspace.root.joinpath(name).is_file()
        except (OSError, ValueError):
            return ""
        runner = _RUNNERS.get(PurePath(name).suffix, "sh")
        return f"\n[{shown(name)} is a file here: run it with {runner} {shown(command.strip())}]" if is_file else ""


def _environment() -> dict[str, str]:
    """Give the environment for commands: ours, without A2IA's own settings, which may hold keys."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("A2IA_")}
    return ours | _QUIET


def _report(ended: Finished, timeout: int) -> str:
    output = terminal_text(ended.output).rstrip("\n") or "(no output)"
    if ended.timed_out:
        raise ToolFailure(
            f"The command was ended after {timeout} seconds: make it shorter, or give a larger timeout. "
            f"Its output until then:\n{output}"
        )
    note = "\n[background processes were ended with the command]" if ended.orphans else ""
    code = f"killed by signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    return f"{code}\n{output}{note}"
