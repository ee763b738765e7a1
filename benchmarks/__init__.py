"""graphc beside its peers: `python -m benchmarks` measures, checks and prints a table."""
