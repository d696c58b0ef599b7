"""A mail to each new user: a handler that talks to the world, and fails now and then.

It asks for no ``tx``, since no transaction can take a mail back. It may therefore be called twice
with one event, after a crash at the wrong moment; ``event.id`` stays the same, and tells. Raising
is failing: the event comes again after a while, then after twice that while, and until then no
other event comes to this operator.
"""

import logging
from collections import Counter

from eventscope import Event
from operators_example.blog import app

logger = logging.getLogger(__name__)

EVERY = 12
"""Each so many-th user's mail is hard to deliver."""

FAILURES = 2
"""How often that fails before it goes through."""

_attempts: Counter[str] = Counter()


class MailRefusedError(Exception):
    """The mail server did not take the mail."""


@app.operator(entities=["users"], events=["insert"])
def welcome_mail(event: Event) -> None:
    """Send the mail; raises MailRefusedError when the server is (for show) too busy."""
    user = event.new_record or {}
    _attempts[event.id] += 1
    if user["id"] % EVERY == 0 and _attempts[event.id] <= FAILURES:
        raise MailRefusedError(f"451 mailbox of {user['email']} is busy, try again later")
    del _attempts[event.id]
    logger.info("Welcome, %s <%s>", user["name"], user["email"])
