"""Events to listeners: channels, subscriptions, live views."""
