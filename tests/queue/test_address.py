from __future__ import annotations

import pytest

from eventscope.queue import address
from eventscope.queue.base import QueueError


def test_what_somebody_may_be_writing_is_read_with_care(tmp_path):
    path = tmp_path / "what?.db"
    assert address.to_read(path, in_use=False).endswith("/what%3F.db?mode=ro&immutable=1")
    assert address.to_read(path, in_use=True).endswith("/what%3F.db?mode=ro")
    path.with_name("what?.db-wal").touch()
    assert address.to_read(path, in_use=False).endswith("/what%3F.db?mode=ro")


def test_a_symlink_is_not_followed(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "queue.db")
    with pytest.raises(QueueError, match=r"link.db cannot be opened: it is a symbolic link"):
        address.to_read(tmp_path / "link.db", in_use=False)
