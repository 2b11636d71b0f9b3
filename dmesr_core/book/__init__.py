"""The book: chapters, how they run, and how their pages are made."""
