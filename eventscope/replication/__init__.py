"""PostgreSQL's write-ahead log as transactions of raw rows."""
