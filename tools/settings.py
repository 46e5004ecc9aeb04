import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolFailure
from tools.process import Finished, run

_TIMEOUT_S = 10
_MAX_CONFIG = 1_000_000
_NAMES = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
_INHERITED = ("HOME", "XDG_CONFIG_HOME", "TMPDIR", *_NAMES)
_COPIED = ("core.filemode", "core.ignorecase", "core.symlinks", "core.autocrlf", "core.eol", "core.precomposeunicode")
_WORD = re.compile(r"[A-Za-z0-9]{1,12}")
_KNOWN_EXTENSIONS = {"objectformat", "noop", "preciousobjects", "worktreeconfig", "partialclone"}
_CONFIG = """[core]
repositoryFormatVersion = {version}
bare = false
hooksPath = /dev/null
fsmonitor = false
untrackedCache = false
logAllRefUpdates = true
bigFileThreshold = 20m
quotePath = false
editor = true
[gc]
auto = 0
[maintenance]
auto = false
[protocol]
allow = never
[commit]
gpgSign = false
"""

Values = dict[str, str]


@dataclass(frozen=True)
class GitSettings:
    """What git runs with: the program, its environment, our config, and the filters that somebody set up."""

    program: str
    environment: Mapping[str, str]
    config: str
    filters: frozenset[str]


async def read_settings(root: Path, real: Path) -> GitSettings:
    """Read the few plain values that are taken over from the repository's and the user's git settings.

    Raises:
        ToolFailure: git is not installed, or the repository is of a kind that is not supported.
    """
    path = _safe_path(root)
    program = shutil.which("git", path=path)
    if program is None:
        raise ToolFailure("git is not installed: the git tools do not work here.")
    environment = _environment(path)
    own, user = await _own(program, environment, real), await _user(program, environment, real)
    names = {"name": "A2IA", "email": "a2ia@localhost"}
    identity = {key: own.get(f"user.{key}") or user.get(f"user.{key}") or names[key] for key in names}
    who = {f"GIT_{role}_{key.upper()}": identity[key] for role in ("AUTHOR", "COMMITTER") for key in names}
    return GitSettings(
        program,
        who | environment | {"GIT_CONFIG_GLOBAL": os.devnull},
        _config(own, user),
        frozenset(key.split(".", 1)[1].rpartition(".")[0] for key in {**own, **user} if key.startswith("filter.")),
    )


def _safe_path(root: Path) -> str:
    """Give PATH without relative folders and without those inside the workspace."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(
        folder for folder in folders if Path(folder).is_absolute() and not Path(folder).resolve().is_relative_to(root)
    )


def _environment(path: str) -> dict[str, str]:
    """Give an environment that has nothing of git's in it but who the author is."""
    inherited = {name: os.environ[name] for name in _INHERITED if os.environ.get(name)}
    return inherited | {
        "PATH": path,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }


async def _own(program: str, environment: Mapping[str, str], real: Path) -> Values:
    """Read the repository's config as plain data: no includes, and no repository is opened for it."""
    file = real / "config"
    if not file.exists():
        return {}
    if file.stat().st_size > _MAX_CONFIG:
        raise ToolFailure("The repository's config is too large: use execute_command with git instead.")
    alone = {**environment, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_DIR": os.devnull}
    command = [program, "config", "--file", str(file), "--no-includes", "--list", "-z"]
    ended = await _read(command, alone)
    if ended.code != 0:
        raise ToolFailure("The repository's config can not be read: correct it with execute_command.")
    return _values(ended.output)


async def _user(program: str, environment: Mapping[str, str], real: Path) -> Values:
    """Read the user's own config, with what it includes for this repository."""
    command = [program, "config", "--global", "--includes", "--list", "-z"]
    return _values((await _read(command, {**environment, "GIT_DIR": str(real)})).output)


async def _read(command: list[str], environment: Mapping[str, str]) -> Finished:
    return await run(command, folder=Path("/"), environment=environment, timeout=_TIMEOUT_S, keep=(_MAX_CONFIG * 2, 0))


def _values(output: bytes) -> Values:
    pairs = (item.partition("\n") for item in output.decode("utf-8", "replace").split("\0") if item)
    return {key: value if found else "true" for key, found, value in pairs}


def _config(own: Values, user: Values) -> str:
    extensions = {key.partition(".")[2]: own[key] for key in own if key.startswith("extensions.")}
    unknown = extensions.keys() - _KNOWN_EXTENSIONS
    if unknown:
        raise ToolFailure(
            f"The repository uses git's {min(unknown)}, which the git tools do not know: use execute_command."
        )
    hashes = extensions.get("objectformat", "sha1")
    text = _CONFIG.format(version=1 if hashes == "sha256" else 0)
    if hashes == "sha256":
        text += "[extensions]\nobjectFormat = sha256\n"
    both = {**user, **own}
    for key in _COPIED:
        if _WORD.fullmatch(both.get(key, "")):
            text += f"[core]\n{key.partition('.')[2]} = {both[key]}\n"
    ignored = user.get("core.excludesfile")
    if ignored and ignored.isprintable():
        text += '[core]\nexcludesFile = "{}"\n'.format(ignored.replace("\\", "\\\\").replace('"', '\\"'))
    return text
