"""L64x: who may do what at the line."""

from station.errors.line import LineError


class NotRegistered(LineError):
    code = "L640"
    headline = "UNKNOWN PERSON"
    remedy = (
        "Scan the badge or type the name again. Who works here is registered by a line engineer "
        "(`station operator add`); `station operator list` shows them."
    )


class NotAllowed(LineError):
    code = "L641"
    headline = "OTHER ROLE"
    remedy = (
        "Ask somebody with the role that the cause names: `station operator list`. The screen asks "
        "in the name of whose shift it is; a command takes `--by NAME`."
    )


class NameTaken(LineError):
    code = "L642"
    headline = "TAKEN ALREADY"
    remedy = "Choose another name or badge, or retire who has it (`station operator retire`)."


class LastEngineer(LineError):
    code = "L643"
    headline = "LAST ENGINEER"
    remedy = "Register another line engineer first (`station operator add … --role engineer`)."


class NoShift(LineError):
    code = "L644"
    headline = "NO SHIFT"
    remedy = "Nothing is to be ended; a shift begins with `station shift start`, or by arming."
