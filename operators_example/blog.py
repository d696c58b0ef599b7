"""The application that all operators of this package belong to, and the tables it watches."""

from eventscope import EventScope

app = EventScope("blog")

app.entity("posts")
app.entity("comments")
app.entity("ratings")
app.entity("users")
app.entity("user_profiles")
