"""A PostgreSQL of its own with a small blog, its traffic, and the check that all tables agree."""
