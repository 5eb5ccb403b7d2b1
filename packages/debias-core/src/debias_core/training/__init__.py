"""The loop: steps, held-out looks, when to stop; how the model computes meanwhile."""
