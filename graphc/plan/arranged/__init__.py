"""A graph, arranged for NumPy: computed as values lie in memory, in planes, in place, together."""
