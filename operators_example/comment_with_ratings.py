"""Each comment with the number and the average of its ratings, and the post it belongs to.

Another operator, ``post_with_ratings``, follows this table in turn. That is why a row that would
stay as it is is not written again: each write is an event.
"""

from operators_example.blog import app

TABLE = "comment_with_ratings"

DDL = """
create table comment_with_ratings (
  id            uuid primary key,
  post_id       uuid not null,
  ratings_count bigint not null,
  ratings_sum   bigint not null,
  average       numeric(3, 2)
);
create index on comment_with_ratings (post_id);
alter table comment_with_ratings replica identity full;
"""

SQL = """
merge into comment_with_ratings target
using (
  select c.id,
         c.post_id,
         count(r.id) as ratings_count,
         coalesce(sum(r.rating), 0) as ratings_sum,
         avg(r.rating)::numeric(3, 2) as average
  from comments c
  left join ratings r on r.comment_id = c.id
  where c.id = $1
  group by c.id
) source on target.id = source.id
when matched and (target.post_id, target.ratings_count, target.ratings_sum)
                 is distinct from (source.post_id, source.ratings_count, source.ratings_sum) then
  update set post_id = source.post_id,
             ratings_count = source.ratings_count,
             ratings_sum = source.ratings_sum,
             average = source.average
when not matched then
  insert (id, post_id, ratings_count, ratings_sum, average)
  values (source.id, source.post_id, source.ratings_count, source.ratings_sum, source.average)
"""

TRUTH = """
select id, post_id, ratings_count, coalesce(ratings_sum, 0) as ratings_sum, average
from comments,
lateral (
  select count(*) as ratings_count, sum(rating) as ratings_sum, round(avg(rating), 2) as average
  from ratings
  where comment_id = comments.id
) as its_ratings
"""

app.query(
    TABLE,
    sql=SQL,
    ids={"ratings": "comment_id", "comments": "id"},
    delete_with=["comments"],
)
