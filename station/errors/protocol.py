"""P1xx: Sahara, Firehose, DIAG and AT said something unexpected."""

from station.errors.base import StationError


class ProtocolError(StationError):
    """Bytes that the protocol does not allow; also the base of all protocol errors."""

    code = "P100"
    headline = "BAD ANSWER"
    remedy = "Run the module again; if it repeats, put the module aside for the line engineer."
    retryable = True


class SaharaError(ProtocolError):
    code = "P101"
    headline = "BAD SAHARA"
    remedy = "Power-cycle the module and run it again."


class NoHello(ProtocolError):
    code = "P102"
    headline = "NO HELLO"
    remedy = "Power-cycle the module and run it again; if it repeats, check what else opens USB."


class SessionReset(NoHello):
    """The boot ROM was in a session of somebody else's and was told to start anew; it leaves."""

    code = "P114"
    headline = "HELLO LOST"
    remedy = "Stop what else opens USB ports (a terminal, ModemManager), then run the module again."


class ImageRefused(ProtocolError):
    code = "P103"
    headline = "LOAD FAILED"
    remedy = "Check that the package fits the module; power-cycle it and run it again."
    retryable = False


class FirehoseError(ProtocolError):
    code = "P111"
    headline = "BAD FIREHOSE"
    remedy = "Power-cycle the module and run it again."


class WrongProgrammer(ProtocolError):
    """The module runs it, and it cannot be used: no other try helps."""

    code = "P115"
    headline = "WRONG PROGRAMMER"
    remedy = (
        "Let the line engineer take a package with another programmer: this one cannot be used."
    )
    retryable = False


class Nak(ProtocolError):
    code = "P112"
    headline = "REFUSED"
    remedy = "Run the module once more; if it repeats, put it in the red bin (flash memory)."
    retryable = False


class DataRefused(Nak):
    """Data were on their way: the module may have refused because some were lost, so the ladder
    sends them once more, if the attempt has opened nothing again yet. One that refuses again has a
    flash memory that is no good."""


class FirehoseSilent(ProtocolError):
    code = "P113"
    headline = "NO ANSWER"
    remedy = "Power-cycle the module and run it again."


class DiagError(ProtocolError):
    code = "P121"
    headline = "NO SWITCH"
    remedy = "Power-cycle the module and run it again."


class AtError(ProtocolError):
    code = "P131"
    headline = "AT ERROR"
    remedy = "Wait until the module has booted and run it again."


class AtSilent(ProtocolError):
    code = "P132"
    headline = "NO AT"
    remedy = "Power-cycle the module and run it again; check that ModemManager is not running."
