"""What is told of the settings is what they are."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from eventscope.configuration import reference
from eventscope.settings import Settings
from tests.readme import blocks

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("setting", reference.every(), ids=lambda setting: setting.name)
def test_every_setting_is_explained(setting: reference.Setting) -> None:
    assert re.fullmatch(r"[A-Z`].*\.", setting.explanation), setting


def test_every_setting_is_in_the_readme() -> None:
    """Write the table anew with ``REWRITE_README=1 pytest tests/test_configuration.py``."""
    text = README.read_text("utf-8")
    [told] = re.findall(r"^\| key \| default \| \|\n(?:\|.*\n)*", text, re.MULTILINE)
    if os.environ.get("REWRITE_README"):
        README.write_text(text.replace(told, reference.table()), "utf-8")
    else:
        assert told == reference.table()


def test_the_file_to_start_from_says_nothing_as_it_stands() -> None:
    assert tomllib.loads(reference.toml()) == {}


def test_the_file_to_start_from_says_the_defaults_where_it_is_uncommented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = re.findall(r"^# (\[\w+\]|\w+ = .*)$", reference.toml(), re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("eventscope.toml").write_text("\n".join(lines))
    settings = Settings.load()
    assert settings.model_fields_set == Settings.model_fields.keys()
    for setting in reference.every():
        value = settings
        for part in setting.name.split("."):
            value = getattr(value, part)
        if setting.default is not None:
            assert value == setting.default


def test_the_readme_s_file_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [text] = blocks("## Settings", "toml")
    Path("eventscope.toml").write_text(text)
    assert Settings.load().operator_queue_max_retries == 10
