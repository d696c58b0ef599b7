"""A person who has never seen the dashboard, with nothing but the keys that it shows."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.terminal import Terminal

APPLICATION = Path(__file__).with_name("first_time.py")


class Newcomer:
    """Presses a key only if the screen says what it does."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def press(self, key: str, meaning: str, sent: str | None = None) -> None:
        self._terminal.until(f"{key} {meaning}")
        self._terminal.program.send(key if sent is None else sent)


def test_an_update_its_diff_what_failed_and_why_pause_retry_and_quit(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mended = tmp_path / "mended"
    monkeypatch.setenv("MENDED", str(mended))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, status text)")
        connection.execute("ALTER TABLE orders REPLICA IDENTITY FULL")
        terminal = Terminal(
            80, 24, "eventscope", "run", str(APPLICATION), "--url", database,
            "--slot-name", "first", "--queue-path", str(tmp_path / "queue.db"),
            "--set", "operator_queue_max_retries=1", "--set", "operator_queue_min_restart_time=1",
        )  # fmt: skip
        person = Newcomer(terminal)
        try:
            terminal.until("LIVE")
            connection.execute("INSERT INTO orders VALUES (4711, 'new')")
            connection.execute("UPDATE orders SET status = 'paid'")
            terminal.until("new → paid")
            terminal.until("halted")

            person.press("⏎", "Open", "\r")
            terminal.until("UPDATE public.orders")
            terminal.until("× billing")
            person.press("tab", "Tabs", "\t\t\t")
            terminal.until("RuntimeError: the billing service is down")
            person.press("p", "Pause")
            terminal.until("paused")

            mended.touch()
            person.press("p", "Pause")
            terminal.until("goes on")
            person.press("r", "Retry")
            terminal.until("✓ billing")
            person.press("esc", "Back", "\x1b")
            terminal.until("idle")
            person.press("q", "Quit")
            assert terminal.until_it_ends() == 0
        finally:
            terminal.program.close(force=True)
            connection.execute(
                "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                " WHERE slot_name = 'first' AND active"
            )
            connection.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE slot_name = 'first'"
            )
    terminal.assert_left_as_it_was()
