"""Which queue file a command is about: one line says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventscope.cli.queue_file import NoQueueFile, find
from eventscope.settings import Settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".eventscope").mkdir()
    (tmp_path / "shop.py").write_text(
        "from eventscope import EventScope\napp = EventScope('shop')\n"
    )
    return tmp_path / ".eventscope"


def test_the_only_one_of_the_slot_needs_no_naming(folder: Path) -> None:
    (folder / "shop-postgres_slot.db").touch()
    (folder / "shop-other.db").touch()
    (folder / "shop-postgres_slot.db-wal").touch()
    found = find(Settings.load(), None)
    assert found.path == Path(".eventscope/shop-postgres_slot.db")
    assert find(Settings.load(slot_name="other"), None).path.name == "shop-other.db"


def test_none_is_named_with_the_slot_the_folder_and_the_cure(folder: Path) -> None:
    (folder / "shop-other.db").touch()
    with pytest.raises(NoQueueFile) as caught:
        find(Settings.load(), None)
    assert str(caught.value) == (
        f"there is no queue file of slot postgres_slot in {folder}; "
        "give --app APP, --queue-path or --slot-name"
    )
    assert caught.value.exit_code == 2


def test_several_are_named(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}-postgres_slot.db").touch()
    with pytest.raises(NoQueueFile, match=r"several .*a-postgres_slot.db, .*b-postgres_slot.db; "):
        find(Settings.load(), None)


def test_an_application_or_its_name_chooses_one_of_several(folder: Path) -> None:
    for name in ("blog", "shop"):
        (folder / f"{name}-postgres_slot.db").touch()
    assert find(Settings.load(), "shop.py").path.name == "shop-postgres_slot.db"
    assert find(Settings.load(app_name="blog"), None).path.name == "blog-postgres_slot.db"


def test_a_path_wins_and_must_exist(folder: Path, tmp_path: Path) -> None:
    settings = Settings.load(queue_path=tmp_path / "queue.db")
    with pytest.raises(NoQueueFile, match=r"no queue file .*queue.db; eventscope run makes it"):
        find(settings, None)
    assert not (tmp_path / "queue.db").exists()
    (tmp_path / "queue.db").touch()
    assert find(settings, None).path == tmp_path / "queue.db"


def test_a_queue_that_is_no_file_cannot_be_asked(folder: Path) -> None:
    with pytest.raises(NoQueueFile, match="queue_storage_adapter is memory"):
        find(Settings.load(queue_storage_adapter="memory"), None)
