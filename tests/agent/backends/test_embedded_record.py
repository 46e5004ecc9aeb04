"""Who keeps an embedded server alive, and what is believed of the records on disk."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.backends.embedded_lock import try_lock
from agent.backends.embedded_record import Lease, OpenLease, Process, Record, Tenancy, machine, read_record, write
from agent.backends.embedded_server import running

ME = Process.current()
NOW = 1_000_000.0


def dead() -> Process:
    """Return a process that has ended."""
    with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as child:
        pass
    return Process(child.pid, ME.born)


def lease(folder: Path, name: str, process: Process, keep_alive: float, ended: float | None = None) -> None:
    write(folder / f"{name}.json", Lease(process.pid, process.born, keep_alive, ended))


def test_a_server_outlives_its_last_session_by_the_keep_alive(tmp_path: Path) -> None:
    tenancy = Tenancy(tmp_path, 60, NOW)
    lease(tmp_path, "a", ME, 60)
    assert tenancy.wanted(NOW + 1000)
    lease(tmp_path, "a", ME, 60, ended=NOW + 1000)
    assert tenancy.wanted(NOW + 1059)
    assert not tenancy.wanted(NOW + 1061)


def test_the_session_that_ended_last_decides_the_keep_alive(tmp_path: Path) -> None:
    tenancy = Tenancy(tmp_path, 60, NOW)
    lease(tmp_path, "long", ME, 300, ended=NOW + 1)
    lease(tmp_path, "none", ME, 0, ended=NOW + 2)
    assert not tenancy.wanted(NOW + 3)


def test_an_open_session_outweighs_those_that_ended(tmp_path: Path) -> None:
    tenancy = Tenancy(tmp_path, 0, NOW)
    lease(tmp_path, "none", ME, 0, ended=NOW + 2)
    lease(tmp_path, "open", ME, 0)
    assert tenancy.wanted(NOW + 9999)


def test_a_killed_session_counts_as_ended(tmp_path: Path) -> None:
    tenancy = Tenancy(tmp_path, 0, NOW)
    lease(tmp_path, "killed", dead(), 60)
    assert tenancy.wanted(NOW + 100)
    assert not tenancy.wanted(NOW + 161)
    assert not list(tmp_path.iterdir())


def test_a_session_whose_number_another_process_has_now_counts_as_ended(tmp_path: Path) -> None:
    lease(tmp_path, "reused", replace(ME, born=ME.born - 5000), 0)
    assert not Tenancy(tmp_path, 0, NOW).wanted(NOW)


def test_garbage_among_the_leases_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    assert not Tenancy(tmp_path, 0, NOW).wanted(NOW)
    assert not list(tmp_path.iterdir())


def test_a_lease_is_open_until_it_ends(tmp_path: Path) -> None:
    mine = OpenLease(tmp_path, 0)
    mine.renew()
    tenancy = Tenancy(tmp_path, 0, NOW)
    assert tenancy.wanted(NOW)
    mine.end()
    assert not tenancy.wanted(4_000_000_000)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": "x"}', '{"pid": 1}', "\x00", '{"pid": Infinity}'])
def test_a_record_with_garbage_is_no_record(tmp_path: Path, text: str) -> None:
    file = tmp_path / "record.json"
    file.write_text(text)
    assert read_record(file) is None


def test_a_record_comes_back_as_written_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "record.json"
    record = Record(ME.pid, ME.born, "/m.gguf", 8192, NOW, "http://127.0.0.1:1", "key")
    write(file, record)
    assert read_record(file) == record
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_records_of_dead_or_reused_processes_are_not_running() -> None:
    folder = Path(os.environ["XDG_STATE_HOME"]) / "a2ia" / "embedded"
    gone = dead()
    write(folder / f"{machine()}-dead.json", Record(gone.pid, gone.born, "m", 1, NOW, "http://127.0.0.1:1", "k"))
    write(folder / f"{machine()}-reused.json", Record(ME.pid, ME.born - 5000, "m", 1, NOW, "http://127.0.0.1:1", "k"))
    write(folder / f"{machine()}-live.json", Record(ME.pid, ME.born, "live", 1, NOW, "http://127.0.0.1:1", "k"))
    write(
        folder / "another-live.json", Record(ME.pid, ME.born, "of another machine", 1, NOW, "http://127.0.0.1:1", "k")
    )
    assert [record.model for record in running()] == ["live"]


@pytest.mark.parametrize(("number", "held"), [(errno.ENOLCK, False), (errno.ENOSYS, False), (errno.EAGAIN, True)])
def test_a_file_system_without_locks_lets_all_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, held: bool
) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    descriptor = try_lock(tmp_path / "lock")
    assert (descriptor is None) is held
    if descriptor is not None:
        os.close(descriptor)


def test_a_lock_excludes_others_until_it_is_freed(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    assert try_lock(tmp_path / "lock") is None
    os.close(held)
    again = try_lock(tmp_path / "lock")
    assert again is not None
    os.close(again)
