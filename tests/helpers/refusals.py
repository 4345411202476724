"""Which error does an argument deserve? The rule of course_utils.arguments, for the tests of its users."""


def error_for(value, *kinds):
    """A ValueError for a value of one of these kinds, which must be out of range; a TypeError for anything else."""
    return ValueError if isinstance(value, kinds) and not isinstance(value, bool) else TypeError
