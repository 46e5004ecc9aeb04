"""Where A2IA keeps its files. Cheap to import: the first prompt on a terminal needs one of these."""

from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """Return the folder for what can be fetched again: model weights."""
    return platformdirs.user_cache_path("a2ia")


def prefixes_dir() -> Path:
    """Return the folder for the KV caches of prompts' fixed beginnings, which the embedded server reads and writes."""
    return cache_dir() / "prefixes"


def state_dir() -> Path:
    """Return the folder for locks, logs and remembered answers."""
    return platformdirs.user_state_path("a2ia")


def config_dir() -> Path:
    """Return the folder for the user's own configuration files."""
    return platformdirs.user_config_path("a2ia")
