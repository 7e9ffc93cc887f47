"""The rows of the benchmark, in the order in which they are run."""
