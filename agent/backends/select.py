"""Which backend a run uses: an entry point of the group `a2ia.backends`, by name."""

from importlib.metadata import entry_points

from agent.backends.base import Backend, Report
from agent.config import Settings
from agent.errors import UsageError

GROUP = "a2ia.backends"


def open_backend(settings: Settings, report: Report) -> Backend:
    """Return the backend that `settings` names, not yet contacted. Raises `UsageError` for a name that none bears."""
    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    entry = known.get(settings.backend)
    if entry is None:
        raise UsageError(
            f"There is no backend {settings.backend!r}.", f"Choose one of: {', '.join(sorted(known))} (--backend NAME)."
        )
    backend: Backend = entry.load()(settings, report)
    return backend
