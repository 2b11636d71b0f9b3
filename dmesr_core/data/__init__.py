"""Data: catalogues of items, their pictures, logs of events, and the data sets that they are loaded from."""
