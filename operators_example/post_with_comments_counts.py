"""Each post with the number of its comments: a query operator on two tables.

``ids`` says which post an event concerns: a comment's ``post_id``, a post's own ``id``. That post's
row is then computed anew, as ``$1``, and written if it differs: a row written again as it was would
still be a change to whoever follows this table. A comment that moves concerns both posts, the one
it left and the one it came to. When a post is deleted, ``delete_with`` deletes its row.
"""

from operators_example.blog import app

TABLE = "post_with_comments_counts"

DDL = """
create table post_with_comments_counts (
  id             uuid primary key,
  title          text not null,
  comments_count bigint not null
);
alter table post_with_comments_counts replica identity full;
"""

SQL = """
merge into post_with_comments_counts target
using (
  select p.id, p.title, count(c.id) as comments_count
  from posts p
  left join comments c on c.post_id = p.id
  where p.id = $1
  group by p.id
) source on target.id = source.id
when matched and (target.title, target.comments_count)
                 is distinct from (source.title, source.comments_count) then
  update set title = source.title, comments_count = source.comments_count
when not matched then
  insert (id, title, comments_count)
  values (source.id, source.title, source.comments_count)
"""

TRUTH = """
select id, title, (select count(*) from comments where post_id = posts.id) as comments_count
from posts
"""

app.query(
    TABLE,
    sql=SQL,
    ids={"comments": "post_id", "posts": "id"},
    delete_with=["posts"],
)
app.entity(TABLE)  # its own changes are worth seeing in the feed
