"""What must hold whatever happens, for every campaign that looks for what breaks it."""


class Broken(AssertionError):
    """Something that must hold does not."""


def hold(true: object, else_: str) -> None:
    """Raises Broken."""
    if not true:
        raise Broken(else_)
