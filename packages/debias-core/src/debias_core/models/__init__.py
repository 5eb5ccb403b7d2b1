"""Models as folders: loaded safely, saved whole, with a card; pushed where asked."""
