"""The run folder: complete files only, one process at a time, and what made each of them."""
