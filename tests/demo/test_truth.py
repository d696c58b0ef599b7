import psycopg
import pytest

from eventscope.demo.truth import differences

TRUTH = "select name, sum(amount) as total, null::jsonb as tags from sales group by name"


@pytest.fixture
async def connection(database):
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(
            """
            create table sales (name text, amount int);
            insert into sales values ('tea', 1), ('tea', 2), ('cake', 3);
            create table totals (tags jsonb, total bigint, name text);
            insert into totals values (null, 3, 'tea'), (null, 3, 'cake');
            """
        )
        yield connection


@pytest.fixture
def truths():
    return {"totals": TRUTH}


async def test_equal_tables_have_no_differences(connection, truths):
    assert await differences(connection, truths) == []


async def test_a_missing_row_is_found(connection, truths):
    await connection.execute("delete from totals where name = 'tea'")

    [difference] = await differences(connection, truths)
    assert (difference.table, difference.missing, difference.extra) == ("totals", 1, 0)
    assert difference.missing_examples == ({"name": "tea", "total": 3, "tags": None},)


async def test_a_row_too_many_is_found_even_if_it_is_a_duplicate(connection, truths):
    await connection.execute("insert into totals select * from totals where name = 'tea'")

    [difference] = await differences(connection, truths)
    assert (difference.missing, difference.extra) == (0, 1)


async def test_a_wrong_value_is_a_row_missing_and_a_row_too_many(connection, truths):
    await connection.execute("update totals set total = 4 where name = 'cake'")

    [difference] = await differences(connection, truths)
    assert str(difference) == (
        "totals: 1 rows missing, such as {'name': 'cake', 'total': 3, 'tags': None}; "
        "1 rows extra, such as {'name': 'cake', 'total': 4, 'tags': None}"
    )


async def test_many_differences_are_counted_and_a_few_are_shown(connection, truths):
    await connection.execute("insert into totals select null, n, 'x' from generate_series(1, 50) n")

    [difference] = await differences(connection, truths)
    assert difference.extra == 50
    assert len(difference.extra_examples) == 3


async def test_all_tables_are_compared_in_one_snapshot(connection, database):
    class WithSalesMeanwhile(dict[str, str]):
        def items(self):
            for item in super().items():
                yield item
                other.execute("insert into sales values ('late', 1)")

    await connection.execute("create view totals_again as select * from totals")
    with psycopg.connect(database, autocommit=True) as other:
        truths = WithSalesMeanwhile(totals=TRUTH, totals_again=TRUTH)
        assert await differences(connection, truths) == []
    assert len(await differences(connection, dict(truths))) == 2


async def test_the_connection_stays_as_it_was(connection, truths):
    await differences(connection, truths)

    cursor = await connection.execute("show transaction_isolation")
    assert await cursor.fetchone() == ("read committed",)
    assert connection.isolation_level is None
