"""Errors a user can cause and mend, each with the exit code its command ends with.

Messages follow one form: "`<thing>` must `<rule>`, got `<values>`. `<what to change>`."
"""


class CrossicError(Exception):
    """Base of every error that is a message for the user rather than a bug of ours."""

    exit_code = 1
    may_pass = False
    """Whether the same command may succeed later though nobody has mended anything."""


class ConfigError(CrossicError):
    """An option, a configuration file or a layout that cannot work; trying again will not help."""

    exit_code = 2


class DataError(CrossicError):
    """Input text, a dump, a pair file or a data set that is damaged or does not belong."""

    exit_code = 3


class CheckpointError(CrossicError):
    """A checkpoint that is missing, incomplete, damaged or of another model."""

    exit_code = 4


class SaveError(CheckpointError):
    """A checkpoint that could not be written: a full disk, a file system or a rank that is gone."""

    may_pass = True


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose bytes are not those written; all ranks know, an earlier one may do."""
