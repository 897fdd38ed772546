"""The error that a user can mend."""


class InputError(Exception):
    """Input that breaks a law: the message states the law, shows the value and says what to do, in one line.

    Commands turn it into that line on standard error and exit code 2.
    """
