"""Minutes of random changes, faults and kills, and a count of what went wrong. ``make soak``."""
