"""Settings: command-line flags over `A2IA_*` variables over `./a2ia.toml` over the user's file over defaults."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from agent.errors import ConfigError, UsageError


def cache_dir() -> Path:
    """Return the folder for what can be fetched again: model weights."""
    return platformdirs.user_cache_path("a2ia")


def state_dir() -> Path:
    """Return the folder for locks, logs and remembered answers."""
    return platformdirs.user_state_path("a2ia")


def config_dir() -> Path:
    """Return the folder for the user's own configuration files."""
    return platformdirs.user_config_path("a2ia")


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_duration(text: object) -> object:
    """Return the seconds that `text` names (`300`, `90s`, `5m`, `1h`); anything else is returned as it is."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", str(text))
    return float(found[1]) * _UNITS[found[2]] if found else text


Seconds = Annotated[float, BeforeValidator(parse_duration)]


class Settings(BaseSettings):
    """Everything a run can be told. Every field is also an `A2IA_<NAME>` variable and a key of `a2ia.toml`."""

    model_config = SettingsConfigDict(env_prefix="A2IA_", extra="forbid", frozen=True)

    backend: str = "embedded"
    """Name of the model server's entry point in the group `a2ia.backends`."""
    model: str | None = None
    """Model name or path to a GGUF file; the backend's default where None."""
    react: bool | None = None
    """True: always ReAct; False: always native tool calls; None: by what the model was seen to do."""
    workspace: Path = Path()
    """The folder that the built-in tools may read and change."""
    mcp_config: tuple[Path, ...] = ()
    """`mcpServers` files beside the built-in server."""
    builtin_tools: bool = True
    """Whether the built-in server (files, git, shell) is connected."""
    allow: tuple[str, ...] = ()
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
        files = [Path("a2ia.toml"), config_dir() / "a2ia.toml"]
        return (init_settings, env_settings, *(TomlConfigSettingsSource(settings_cls, file) for file in files))


def load_settings(flags: Mapping[str, Any]) -> Settings:
    """Merge the layers; a flag whose value is None was not given. Raises `UsageError`, or `ConfigError` for a file."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"Setting {key!r} cannot be {first['input']!r}: {first['msg']}.",
            "It came from a flag, an A2IA_* variable, ./a2ia.toml or the user's a2ia.toml; see a2ia-cli --help.",
        ) from error
    except ValueError as error:
        for file in (Path("a2ia.toml"), config_dir() / "a2ia.toml"):
            if file.exists():
                raise ConfigError(file, f"is not valid TOML: {error}") from error
        raise
