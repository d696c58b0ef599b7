"""Each post with the ratings of all its comments: a cascade, one derived table from another.

It follows ``comment_with_ratings``, which an operator keeps, as it would follow any other table. A
new rating therefore takes two steps, and arrives here a moment later than there.
"""

from operators_example.blog import app

TABLE = "post_with_ratings"

DDL = """
create table post_with_ratings (
  id            uuid primary key,
  title         text not null,
  ratings_count bigint not null,
  average       numeric(3, 2)
);
alter table post_with_ratings replica identity full;
"""

SQL = """
merge into post_with_ratings target
using (
  select p.id,
         p.title,
         coalesce(sum(c.ratings_count), 0) as ratings_count,
         (sum(c.ratings_sum) / nullif(sum(c.ratings_count), 0))::numeric(3, 2) as average
  from posts p
  left join comment_with_ratings c on c.post_id = p.id
  where p.id = $1
  group by p.id
) source on target.id = source.id
when matched and (target.title, target.ratings_count, target.average)
                 is distinct from (source.title, source.ratings_count, source.average) then
  update set title = source.title, ratings_count = source.ratings_count, average = source.average
when not matched then
  insert (id, title, ratings_count, average)
  values (source.id, source.title, source.ratings_count, source.average)
"""

TRUTH = """
select posts.id, posts.title, count(ratings.id) as ratings_count, round(avg(rating), 2) as average
from posts
left join comments on comments.post_id = posts.id
left join ratings on ratings.comment_id = comments.id
group by posts.id
"""

app.query(
    TABLE,
    sql=SQL,
    ids={"comment_with_ratings": "post_id", "posts": "id"},
    delete_with=["posts"],
)
app.entity(TABLE)
