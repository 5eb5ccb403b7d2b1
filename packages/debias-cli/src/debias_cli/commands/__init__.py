"""One module a group of commands; each function returns the exit code."""
