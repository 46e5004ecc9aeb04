import itertools
from pathlib import Path

from tools.text import shown
from tools.workspace import Workspace

_MAX_FILES = 200
_MAX_CHARS = 400


def overview(root: Path) -> str:
    """Give one line that names the files in the workspace `root`, or where that is too long what stands at its top.

    At most some 400 characters (100 tokens): with it a small model names files that exist in its first call.

    Raises:
        ToolFailure: `root` is no folder.
    """
    paths = ["/".join(names) for names in itertools.islice(Workspace(root).walk(), _MAX_FILES)]
    text = ", ".join(shown(path) for path in paths)
    if len(text) > _MAX_CHARS or len(paths) == _MAX_FILES:
        tops = dict.fromkeys(top + below[:1] for top, below, _ in (path.partition("/") for path in paths))
        text = ", ".join(shown(top) for top in tops)
    if len(text) > _MAX_CHARS:
        text = f"{text[:_MAX_CHARS].rpartition(', ')[0]}, and more"
    return f"Files in the workspace: {text or 'none'}"
