import json
import os
import sys
from pathlib import Path

import anyio.to_thread

from tools.errors import ToolFailure
from tools.grep import LIMIT_S, MAX_TEXT, REFUSED, plain, search
from tools.process import run
from tools.text import RESULT_CHARS
from tools.workspace import Workspace

_PACKAGES = str(Path(__file__).resolve().parents[1])


class Search:
    """The tool that looks for text in the workspace's files."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def search_text(self, text: str, path: str = ".", regex: bool = False) -> str:
        """Find text (or a regex) in the files under path.

        Gives file:line: text for each line that has it. Regular expressions run in a process of their own, since
        one can take for ever and can not be stopped in a thread.

        Raises:
            ToolFailure: the text can not be looked for, or there is no such path.
        """
        if not text or "\n" in text or len(text) > MAX_TEXT:
            raise ToolFailure(f"text must be part of one line, at most {MAX_TEXT} characters, and not empty.")
        if not regex:
            return await anyio.to_thread.run_sync(search, self._workspace, text, path, plain(text))
        return await _in_child(self._workspace.root, text, path)


async def _in_child(root: Path, text: str, path: str) -> str:
    code = f"import sys; sys.path.append({_PACKAGES!r}); from tools.grep import main; main()"
    ended = await run(
        [sys.executable, "-I", "-c", code, json.dumps([str(root), text, path])],
        folder=root,
        environment={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        timeout=LIMIT_S + 3,
        keep=(RESULT_CHARS * 4, 0),
    )
    result = ended.output.decode("utf-8", "replace")
    if ended.timed_out:
        raise ToolFailure("The regex takes too long: make it simpler, or search a smaller path.")
    if ended.code == REFUSED:
        raise ToolFailure(result)
    if ended.code != 0:
        raise ToolFailure("The regex could not be searched for: make it simpler, or leave regex out.")
    return result
