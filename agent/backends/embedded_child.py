"""The embedded model server's own process: llama.cpp's HTTP server, until no session wants it.

Started by `agent.backends.embedded_server` with `python -P -m agent.backends.embedded_child ...`: without `-P` a
folder `agent/` or `tools/` in the user's working directory would shadow ours.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import xllamacpp

from agent.backends.embedded_lock import try_lock
from agent.backends.embedded_record import Place, Process, Record, Tenancy, read_record, write
from agent.places import prefixes_dir

WATCH_SECONDS = 0.5
"""Seconds between two looks at who still uses the server."""

PROMPT_CACHE_MIB = 1024
"""Memory for the prefixes of other threads than the running one: about four full windows of the default model."""


def main(argv: list[str] | None = None) -> None:
    """Serve `--model` until nobody wants it, then end this process."""
    options = _parse(argv)
    place = Place(options.record, Path(os.devnull))
    me = Process.current()
    now = time.time()
    record = Record(me.pid, me.born, str(options.model), options.ctx, now)
    write(place.record, record)
    key = secrets.token_urlsafe(32)
    tenancy = Tenancy(place.leases, options.keep_alive, now)
    server = _serve(options, key)
    write(place.record, replace(record, url=server.listening_address, key=key))
    while _findable(place, me) and not _ended(place, tenancy):
        time.sleep(WATCH_SECONDS)
    sys.stderr.write("nobody uses this server any more; it ends\n")
    sys.stderr.flush()
    os._exit(0)  # xllamacpp's Server has no stop method and its threads would keep the interpreter alive


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m agent.backends.embedded_child")
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--ctx", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--keep-alive", type=float, required=True)
    return parser.parse_args(argv)


def tuned(params: xllamacpp.CommonParams, threads: int) -> xllamacpp.CommonParams:
    """Set what decides the speed, as `benchmarks/server_speed.py` found it best; return `params`."""
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    return params


def _serve(options: argparse.Namespace, key: str) -> xllamacpp.Server:
    """Load the model and start llama.cpp's server in threads of this process; returns when it answers.

    xllamacpp holds the GIL meanwhile, so nothing else of this process runs until the model is loaded.
    """
    prefixes = prefixes_dir()
    with suppress(OSError):  # a cache that cannot be written to keeps no prefixes
        prefixes.mkdir(parents=True, exist_ok=True, mode=0o700)
    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.alias}
    params.n_ctx = options.ctx
    params.n_parallel = 1  # a second slot would halve the window; requests at the same time wait for one another
    params.cache_ram_mib = PROMPT_CACHE_MIB
    tuned(params, options.threads)
    params.use_jinja = True
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.cors_origins = ""
    params.cors_credentials = False
    params.ui = False
    params.endpoint_metrics = True
    if prefixes.is_dir():
        params.slot_save_path = f"{prefixes}/"  # llama.cpp puts a file's name behind it as it is
    return xllamacpp.Server(params)


def _findable(place: Place, me: Process) -> bool:
    """Say whether sessions still find this server: its record may have been removed, or replaced by a newer server."""
    record = read_record(place.record)
    return record is not None and record.process == me


def _ended(place: Place, tenancy: Tenancy) -> bool:
    """Remove the record if nobody wants the server, and say so.

    Sessions take their lease under the same lock, so none can find a server that is about to end.
    """
    if tenancy.wanted(time.time()):
        return False
    lock = try_lock(place.lock)
    if lock is None:
        return False
    try:
        wanted = tenancy.wanted(time.time())
        if not wanted:
            place.record.unlink(missing_ok=True)
        return not wanted
    finally:
        os.close(lock)


if __name__ == "__main__":
    main()
