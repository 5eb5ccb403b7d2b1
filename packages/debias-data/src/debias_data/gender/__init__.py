"""Reading and changing the gender markers of a text."""
