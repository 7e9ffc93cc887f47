"""Minutes of random changes, faults and kills, and a count of the errors. ``make soak``."""
