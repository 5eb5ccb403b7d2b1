"""From sample entropies to the exact gradient of a loss."""
