"""What a run survives: checkpoints, faults, signals."""
