"""How much longer than on a machine of its own everything may take here; one for all."""

factor = 1.0


def patient(seconds: float) -> float:
    """As it is meant, times the factor that an emulated machine sets."""
    return seconds * factor
