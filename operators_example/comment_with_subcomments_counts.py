"""Each comment with the number of all comments below it: a handler, where one id is not enough.

A reply changes the count of every comment above it, up to the first of its thread. No column of
the reply names those, so a Python function finds them. It asks for ``tx``, a transaction that is
committed when it returns and rolled back when it raises, and with ``batch`` for all events that
wait, up to 200 of them, in one such transaction.

Like a query operator it reads what *is*, and takes from the events only which comments to look at.
It may therefore be called twice with one event, and nothing is wrong afterwards.
"""

from uuid import UUID

from psycopg import AsyncConnection

from eventscope import Event
from operators_example.blog import app

TABLE = "comment_with_subcomments_counts"

DDL = """
create table comment_with_subcomments_counts (
  id                uuid primary key,
  subcomments_count bigint not null
);
alter table comment_with_subcomments_counts replica identity full;
"""

FORGET = """
delete from comment_with_subcomments_counts
where id = any(%(ids)s) and id not in (select id from comments where id = any(%(ids)s))
"""

RECOUNT = """
with recursive
  upwards as (  -- these comments and all above them
    select id, parent_id from comments where id = any(%(ids)s)
    union
    select above.id, above.parent_id
    from comments above join upwards on above.id = upwards.parent_id
  ),
  downwards as (  -- each of them with all below it
    select id as root, id from upwards
    union
    select root, below.id
    from comments below join downwards on below.parent_id = downwards.id
  )
insert into comment_with_subcomments_counts (id, subcomments_count)
select root, count(*) - 1 from downwards group by root
on conflict (id) do update set subcomments_count = excluded.subcomments_count
where comment_with_subcomments_counts.subcomments_count <> excluded.subcomments_count
"""

TRUTH = """
with recursive below (root, id) as (
  select parent_id, id from comments where parent_id is not null
  union
  select root, comments.id from comments join below on comments.parent_id = below.id
)
select id,
       (select count(*) from below where root = comments.id and below.id <> root)
         as subcomments_count
from comments
"""


@app.operator(name=TABLE, entities=["comments"], batch=200)
async def recount(events: list[Event], tx: AsyncConnection) -> None:
    """Bring the counts of all comments that these changes may concern up to date."""
    if any(event.type == "truncate" for event in events):
        ids = await _every_comment(tx)
    else:
        ids = list({id for event in events for id in _concerned_by(event)})
    if ids:
        await tx.execute(FORGET, {"ids": ids})
        await tx.execute(RECOUNT, {"ids": ids})


def _concerned_by(event: Event) -> set[UUID]:
    if event.changes and not event.changes.keys() & {"id", "parent_id"}:
        return set()  # an edited text moves nothing
    rows = [row for row in (event.previous, event.new_record) if row]
    return {row[column] for row in rows for column in ("id", "parent_id")} - {None}


async def _every_comment(tx: AsyncConnection) -> list[UUID]:
    rows = await tx.execute(
        "select id from comments union select id from comment_with_subcomments_counts"
    )
    return [id for (id,) in await rows.fetchall()]


app.entity(TABLE)
