"""The durable log of events and every operator's position in it."""
