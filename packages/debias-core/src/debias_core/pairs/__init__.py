"""Prompt pairs: from the rows of a pair table to token ids."""
