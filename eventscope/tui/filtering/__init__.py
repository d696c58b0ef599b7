"""What stands behind the filter bar: testing events, completion, history, saved filters."""
