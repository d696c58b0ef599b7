from __future__ import annotations

import pytest

from eventscope import Event, EventScope
from eventscope.replication import ledger
from eventscope.settings import Settings
from tests.operators.shop import counting_comments, tables
from tests.replication.doctor.examining import examined, mend, mended
from tests.replication.reading import role_url


@pytest.fixture
async def shop(connection) -> None:
    await connection.execute(tables())


@pytest.fixture
def settings(make_settings, database, role) -> Settings:
    """For a role that owns nothing."""
    return make_settings(url=role_url(database, role))


async def make(connection) -> None:
    """Make the ledger for the connection's own role."""
    await connection.execute(ledger.creation(await ledger.look_up(connection)))


def found_in(group) -> list[tuple[str, str]]:
    return [(finding.severity, finding.found) for finding in group]


async def test_a_schema_that_the_role_may_not_make_is_made_for_it(shop, settings, database, role):
    found = (await examined(counting_comments(), settings)).one("ledger")
    name = database.split("/")[3].split("?")[0]
    assert found.line == (
        f"role {role} may not make schema eventscope in database {name}: operators note there how"
        f" far they have come, in one transaction with what they write; run {found.sql} as a"
        f" superuser, or as its owner; or set exactly_once = false, after which a crash may apply"
        f" an event twice"
    )
    assert found.severity == "blocking"
    after = await mended(counting_comments(), settings, "ledger", database)
    assert found_in(after.examination.groups["ledger"]) == [
        ("ok", "operators note in eventscope.offsets how far they have come")
    ]


async def test_what_the_role_may_make_itself_is_no_trouble(
    shop, connection, settings, database, role
):
    name = connection.info.dbname
    await connection.execute(f'GRANT CREATE ON DATABASE {name} TO "{role}"')
    found = (await examined(counting_comments(), settings)).one("ledger")
    assert (found.severity, found.found) == (
        "ok",
        "schema eventscope does not exist yet and will be made",
    )


async def test_a_schema_in_which_the_role_may_not_make_the_table_is_opened(
    shop, connection, settings, database, role
):
    await connection.execute("CREATE SCHEMA eventscope")
    found = (await examined(counting_comments(), settings)).one("ledger")
    assert (found.severity, found.found) == (
        "blocking",
        f"role {role} may not make table eventscope.offsets",
    )
    after = (await mended(counting_comments(), settings, "ledger", database)).one("ledger")
    assert (after.severity, after.found) == (
        "ok",
        "table eventscope.offsets does not exist yet and will be made",
    )


async def test_rights_that_are_missing_are_granted(shop, connection, settings, database, role):
    await make(connection)
    await connection.execute(f'GRANT SELECT, INSERT ON eventscope.offsets TO "{role}"')
    before = await examined(counting_comments(), settings)
    assert found_in(before.examination.groups["ledger"]) == [
        ("blocking", f"role {role} may not use schema eventscope"),
        ("blocking", f"role {role} lacks UPDATE, DELETE on eventscope.offsets"),
    ]
    await mended(counting_comments(), settings, "schema_usage", database)
    after = await mended(counting_comments(), settings, "ledger_rights", database)
    assert after.one("ledger").severity == "ok"


async def test_a_table_of_an_earlier_version_is_brought_up_to_date_by_its_owner(
    shop, connection, settings, make_settings, database, role
):
    await make(connection)
    await connection.execute("ALTER TABLE eventscope.offsets DROP COLUMN redone")
    own = (await examined(counting_comments(), make_settings())).one("ledger")
    assert (own.severity, own.found) == (
        "ok",
        "table eventscope.offsets is of an earlier version, and will get redone",
    )
    await connection.execute(
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON eventscope.offsets TO "{role}";'
        f'GRANT USAGE ON SCHEMA eventscope TO "{role}"'
    )
    found = (await examined(counting_comments(), settings)).one("ledger_columns")
    assert found.line == (
        f"table eventscope.offsets is of an earlier version of eventscope, without redone, and"
        f" belongs to {connection.info.user}: operators note there how far they have come, in one"
        f" transaction with what they write; run {found.sql} as a superuser, or as its owner; or"
        f" set exactly_once = false, after which a crash may apply an event twice"
    )
    after = await mended(counting_comments(), settings, "ledger_columns", database)
    assert found_in(after.examination.groups["ledger"]) == [
        ("ok", "operators note in eventscope.offsets how far they have come")
    ]


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ("DROP COLUMN timeline", "it lacks timeline integer"),
        ("ADD COLUMN shard int", "it has shard integer"),
        ("ALTER COLUMN index TYPE bigint", "it lacks index integer and has index bigint"),
        ("DROP CONSTRAINT offsets_pkey", "it has no primary key of slot, operator"),
    ],
)
async def test_a_table_of_another_version_is_named_and_put_aside(
    shop, connection, make_settings, database, change, differs
):
    await make(connection)
    await connection.execute(f"ALTER TABLE eventscope.offsets {change}")
    found = (await examined(counting_comments(), make_settings())).one("ledger_shape")
    assert (found.severity, found.found) == (
        "blocking",
        f"table eventscope.offsets is of another version of eventscope: {differs}",
    )
    await mend(found, database)
    after = (await examined(counting_comments(), make_settings())).one("ledger")
    assert (after.severity, after.found) == (
        "ok",
        "table eventscope.offsets does not exist yet and will be made",
    )
    await make(connection)
    assert (await examined(counting_comments(), make_settings())).one("ledger").severity == "ok"


async def test_who_does_without_a_ledger_is_told_what_that_means(shop, settings, make_settings):
    found = (await examined(counting_comments(), make_settings(exactly_once=False))).one("ledger")
    assert (found.severity, found.mend) == ("note", "set exactly_once = true")


async def test_operators_that_write_nothing_in_one_transaction_need_no_ledger(shop, settings):
    app = EventScope("shop")

    @app.operator(entities=["posts"])
    async def mail(event: Event) -> None:
        pass

    assert "ledger" not in (await examined(app, settings)).examination.groups

    @app.operator(entities=["posts"])
    async def audit(event: Event, tx: object) -> None:
        pass

    assert (await examined(app, settings)).one("ledger").severity == "blocking"
