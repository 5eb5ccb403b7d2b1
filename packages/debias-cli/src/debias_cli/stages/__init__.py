"""The stages of a run: which there are (`graph`), which must run (`planning`), running them."""
