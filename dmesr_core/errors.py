"""The two errors that users of the package can meet.

Both say what is wrong, where (a row, a file, an id), and what to do about it.
"""


class DataError(ValueError):
    """Input data that cannot be used: the message names the row, file or id."""


class SettingsError(ValueError):
    """A setting that does not exist or makes no sense: the message lists what would."""
