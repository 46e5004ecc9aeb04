"""Settings: command-line flags over `A2IA_*` variables over `./a2ia.toml` over the user's file over defaults."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from agent import places
from agent.backends.address import is_loopback
from agent.errors import ConfigError, UsageError

cache_dir, config_dir, state_dir = places.cache_dir, places.config_dir, places.state_dir

_PROJECT_FILE = Path("a2ia.toml")
_OWN_KEYS = frozenset({"allow", "mcp_config", "workspace", "yes"})
"""Settings that only a person may make: with them a cloned folder could run programs or read beyond itself."""

_ADDRESS_KEYS = frozenset({"ollama_url", "vllm_url"})
"""Settings that may name only this machine in a project's file: a stranger's server would read everything along."""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_duration(text: object) -> object:
    """Return the seconds that `text` names (`300`, `90s`, `5m`, `1h`); anything else is returned as it is."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", str(text))
    return float(found[1]) * _UNITS[found[2]] if found else text


Seconds = Annotated[float, BeforeValidator(parse_duration)]


class Settings(BaseSettings):
    """Everything a run can be told. Every field is also an `A2IA_<NAME>` variable and a key of `a2ia.toml`."""

    model_config = SettingsConfigDict(env_prefix="A2IA_", extra="forbid", frozen=True)

    backend: str | None = None
    """Name of the model server's entry point in the group `a2ia.backends`; None: the first that answers."""
    model: str | None = None
    """Model name or path to a GGUF file; the backend's default where None."""
    vllm_url: str | None = None
    """Where vLLM answers, with or without `/v1`; http://localhost:8000/v1 where None."""
    ollama_url: str | None = None
    """Where Ollama answers; `OLLAMA_HOST`, else http://localhost:11434, where None."""
    api_key: SecretStr | None = None
    """What vLLM was started with as `--api-key`."""
    react: bool | None = None
    """True: always ReAct; False: always native tool calls; None: by what the model was seen to do."""
    judge: bool = True
    """Whether a calibrated model is asked, before the first tool call of a thread, if the tool is needed at all."""
    workspace: Path = Path()
    """The folder that the built-in tools may read and change."""
    mcp_config: tuple[Path, ...] = ()
    """`mcpServers` files beside the built-in server."""
    builtin_tools: bool = True
    """Whether the built-in server (files, git, shell) is connected."""
    allow: Sequence[str] = ()
    """Glob patterns of tools that may run without a question: `write_file`, `server:tool`, `git:*`."""
    yes: bool = False
    """Whether every tool call may run without a question."""
    max_steps: int = Field(25, ge=1)
    """Model calls in one turn before it ends with what it has."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Sampling temperature."""
    seed: int | None = None
    """Sampling seed, where the server takes one."""
    timeout: Seconds = Field(600.0, gt=0)
    """Seconds that a model server may stay silent within one request."""
    keep_alive: Seconds = Field(300.0, ge=0)
    """Seconds that the embedded server outlives its last session."""
    debug: bool = False
    """Whether to print tracebacks and the exact messages sent to the model."""

    @classmethod
    def settings_customise_sources(  # noqa: D102  pydantic-settings names and documents this hook
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = [_PROJECT_FILE, config_dir() / "a2ia.toml"]
        return (init_settings, env_settings, *(TomlConfigSettingsSource(settings_cls, file) for file in files))


def load_settings(flags: Mapping[str, Any]) -> Settings:
    """Merge the layers; a flag whose value is None was not given. Raises `UsageError`, or `ConfigError` for a file."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise _refused(error, given) from error
    except SettingsError as error:
        name = re.search(r'field "(\w+)"', str(error))
        raise UsageError(
            f"A2IA_{name[1].upper() if name else '*'} is not valid JSON.", """Write a list as JSON: '["git_*"]'."""
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error
    _refuse_reach()
    return settings


def _refuse_reach() -> None:
    """Refuse a project's file that reaches further than the project: it may have come with a stranger's folder."""
    if not _PROJECT_FILE.is_file():
        return
    text = _PROJECT_FILE.read_text(encoding="utf-8")
    for key, value in tomllib.loads(text).items():  # pydantic-settings takes any case
        if key.lower() in _OWN_KEYS:
            raise _in_file(_PROJECT_FILE, text, key, "may not be set by a project's file, since it widens what may run")
        if key.lower() in _ADDRESS_KEYS and not is_loopback(str(value)):
            raise _in_file(_PROJECT_FILE, text, key, "may name only this machine in a project's file")


def _files() -> list[Path]:
    return [file for file in (_PROJECT_FILE, config_dir() / "a2ia.toml") if file.is_file()]


def _refused(error: ValidationError, given: Mapping[str, Any]) -> UsageError:
    """Say which value was refused, and where it stands."""
    first = error.errors()[0]
    key = str(first["loc"][0])
    unknown = first["type"] == "extra_forbidden"
    problem = "is no setting" if unknown else f"cannot be {first['input']!r}: {first['msg']}"
    if key in given:
        return UsageError(f"--{key.replace('_', '-')} {problem}.", "See a2ia-cli --help.")
    variable = next((name for name in os.environ if name.upper() == f"A2IA_{key.upper()}"), None)
    if variable:
        return UsageError(f"{variable} {problem}.", f"Correct {variable}, or unset it.")
    for file in _files():
        text = file.read_text(encoding="utf-8")
        if key in tomllib.loads(text):
            return _in_file(file, text, key, problem)
    return UsageError(f"Setting {key!r} {problem}.", "See a2ia-cli --help.")


def _in_file(file: Path, text: str, key: str, problem: str) -> ConfigError:
    at = re.search(rf"^\s*\[?\s*[\"']?{re.escape(key)}\b", text, re.M)
    line = text.count("\n", 0, at.end()) + 1 if at else None
    own = key.lower() in _OWN_KEYS | _ADDRESS_KEYS
    hint = f"Set {key.lower()} in {config_dir() / 'a2ia.toml'}, or give it as a flag." if own else ""
    return ConfigError(file.absolute(), problem, line=line, key=key, hint=hint)


def _unreadable(error: Exception) -> Exception:
    """Find the file that cannot be read; `error` itself if it is none of them."""
    for file in _files():
        try:
            tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as cause:
            return ConfigError(file.absolute(), f"cannot be read: {cause.strerror}")
        except ValueError as cause:
            line = re.search(r" \(at line (\d+), column \d+\)", str(cause))
            problem = f"is not valid TOML: {str(cause).replace(line[0], '') if line else cause}"
            return ConfigError(file.absolute(), problem, line=int(line[1]) if line else None)
    return error
