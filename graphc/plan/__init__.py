"""The plan: a graph in steps, tiles and memory, and the NumPy program that follows it."""
