"""Code out of free text, and pass@k."""
