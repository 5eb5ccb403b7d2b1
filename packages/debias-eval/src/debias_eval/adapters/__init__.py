"""Other people's benchmark collections, run through this package's log and statistics."""
