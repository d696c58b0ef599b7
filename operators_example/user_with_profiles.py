"""Each user with the profile, if there is one: an upsert instead of a MERGE.

Any statement that brings the row of ``$1`` up to date will do.
"""

from operators_example.blog import app

TABLE = "user_with_profiles"

DDL = """
create table user_with_profiles (
  id       bigint primary key,
  email    text not null,
  name     text not null,
  bio      text,
  settings jsonb
);
alter table user_with_profiles replica identity full;
"""

SQL = """
insert into user_with_profiles (id, email, name, bio, settings)
select u.id, u.email, u.name, p.bio, p.settings
from users u
left join user_profiles p on p.user_id = u.id
where u.id = $1
on conflict (id) do update
set email = excluded.email,
    name = excluded.name,
    bio = excluded.bio,
    settings = excluded.settings
where (user_with_profiles.email, user_with_profiles.name,
       user_with_profiles.bio, user_with_profiles.settings)
  is distinct from (excluded.email, excluded.name, excluded.bio, excluded.settings)
"""

TRUTH = """
select users.id, email, name, bio, settings
from users
left join user_profiles on user_profiles.user_id = users.id
"""

app.query(
    TABLE,
    sql=SQL,
    ids={"user_profiles": "user_id", "users": "id"},
    delete_with=["users"],
)
app.entity(TABLE)
