"""The error that a user can mend."""


class InputError(Exception):
    """Input that breaks a constraint: the message states it, shows the value and says what to do, in one line.

    Commands turn it into that line on standard error and exit code 2.
    """
