"""The errors that users of the package can meet.

Each says what is wrong, where (a row, a file, an id), and what to do about it.
"""


class DataError(ValueError):
    """Input data that cannot be used: the message names the row, file or id."""


class SettingsError(ValueError):
    """A setting that does not exist or makes no sense: the message lists what would."""


class BookError(RuntimeError):
    """The book could not be made: the message names the chapter and cell that failed, or the page with a warning."""
