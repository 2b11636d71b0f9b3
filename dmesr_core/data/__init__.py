"""Data: catalogues, pictures, logs of events, and where they come from."""
