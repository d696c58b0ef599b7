import logging

from operators_example.welcome_mail import EVERY, FAILURES


async def test_each_new_user_gets_a_mail_in_the_end(engine, connection, caplog):
    caplog.set_level(logging.INFO, logger="operators_example")
    for n in range(1, EVERY + 2):
        await connection.execute(
            "insert into users (id, email, name) values (%s, %s, %s)",
            [n, f"{n}@example.org", f"User {n}"],
        )
    await engine.settle(timeout=60)

    mails = [record.getMessage() for record in caplog.records if "Welcome" in record.getMessage()]
    assert mails == [f"Welcome, User {n} <{n}@example.org>" for n in range(1, EVERY + 2)]
    [operator] = [
        operator for operator in engine.snapshot().operators if operator.name == "welcome_mail"
    ]
    assert (operator.applied, operator.failed, operator.state) == (EVERY + 1, FAILURES, "idle")


async def test_only_new_users_get_one(engine, connection, caplog):
    caplog.set_level(logging.INFO, logger="operators_example")
    await connection.execute("insert into users (id, email, name) values (1, 'a@example.org', 'A')")
    await connection.execute("update users set name = 'B'")
    await connection.execute("delete from users")
    await engine.settle(timeout=60)

    assert [r.getMessage() for r in caplog.records if r.name.startswith("operators_example")] == [
        "Welcome, A <a@example.org>"
    ]
