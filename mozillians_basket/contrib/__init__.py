"""Ways to watch the app from outside. Nothing else of it imports them; each needs its extra."""
