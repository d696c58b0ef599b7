import logging

from operators_example.welcome_mail import EVERY, FAILURES


def test_each_new_user_gets_a_mail_in_the_end(runner, caplog):
    caplog.set_level(logging.INFO, logger="operators_example")
    for n in range(1, EVERY + 2):
        runner.execute(
            "insert into users (id, email, name) values (%s, %s, %s)",
            [n, f"{n}@example.org", f"User {n}"],
        )
    runner.settle(timeout=60)

    mails = [record.getMessage() for record in caplog.records if "Welcome" in record.getMessage()]
    assert mails == [f"Welcome, User {n} <{n}@example.org>" for n in range(1, EVERY + 2)]
    operator = runner.operator("welcome_mail")
    assert (operator.applied, operator.state) == (EVERY + 1, "idle")
    failed = [attempt for attempt in operator.attempts if attempt.error is not None]
    assert len(failed) == FAILURES
    assert {attempt.event for attempt in failed} == {runner.events[EVERY - 1].id}


def test_only_new_users_get_one(runner, caplog):
    caplog.set_level(logging.INFO, logger="operators_example")
    runner.execute("insert into users (id, email, name) values (1, 'a@example.org', 'A')")
    runner.execute("update users set name = 'B'")
    runner.execute("delete from users")
    runner.settle(timeout=60)

    assert [r.getMessage() for r in caplog.records if r.name.startswith("operators_example")] == [
        "Welcome, A <a@example.org>"
    ]
