"""What A2IA's own modules log, the exact messages sent to the model among it, on the screen or nowhere."""

import logging
from collections.abc import Callable

from cli.streams import printable


class DebugLog:
    """Hands log records to `write` while it is on."""

    def __init__(self, write: Callable[[str], None], *, on: bool) -> None:
        # A program that configures no logging has Python print warnings and tracebacks of every library.
        logging.getLogger().addHandler(logging.NullHandler())
        self._handler = _Handler(write)
        self.on = False
        """Whether records are shown."""
        if on:
            self.toggle()

    def toggle(self) -> bool:
        """Turn it on or off; say which."""
        self.on = not self.on
        for name, level in (("agent", logging.DEBUG), ("graphs", logging.DEBUG), ("asyncio", logging.WARNING)):
            logger = logging.getLogger(name)
            logger.setLevel(level if self.on else logging.NOTSET)
            (logger.addHandler if self.on else logger.removeHandler)(self._handler)
        return self.on


class _Handler(logging.Handler):
    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, without what would steer the terminal."""
        try:
            self._write(printable(self.format(record)))
        except Exception:
            self.handleError(record)
