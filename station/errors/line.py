"""L6xx: what the running line refuses, and screens that cannot reach it."""

from station.errors.base import Blame, StationError


class LineError(StationError):
    """A command the engine does not carry out; nothing was changed by it."""

    blame = Blame.REFUSAL


class NotArmed(LineError):
    code = "L601"
    headline = "NOT ARMED"
    remedy = "Arm the line first: choose the recipes and confirm (key A, or `station line arm`)."


class NotNow(LineError):
    code = "L602"
    headline = "NOT NOW"
    remedy = "Do what the cause says, then try again."


class RecipeChanged(LineError):
    code = "L603"
    headline = "RECIPE CHANGED"
    remedy = "Look at the recipes again and confirm them: the file is not the one that was shown."


class Stopping(LineError):
    code = "L604"
    headline = "STOPPING"
    remedy = "Wait until the engine has ended and start it again; running modules are finished."


class NoEngine(LineError):
    code = "L605"
    headline = "NO ENGINE"
    remedy = "Start the engine: `systemctl start station`, or `station run` on a desk."
    blame = Blame.STATION


class OtherProtocol(LineError):
    code = "L606"
    headline = "OTHER VERSION"
    remedy = "Close this screen and open it again with the software version the engine runs."
    blame = Blame.STATION


class NoAccess(LineError):
    code = "L607"
    headline = "NO ACCESS"
    remedy = "Add this user to the group of the engine's socket (`station`), then log in again."
    blame = Blame.STATION


class NotFlashed(LineError):
    code = "L608"
    headline = "NOT FLASHED"
    remedy = "Take the module out and put it back, or retry its slot, if it shall be flashed."
    blame = Blame.NOBODY


class TrayShort(LineError):
    code = "L609"
    headline = "MODULE MISSING"
    remedy = "Reseat the modules in the slots that say NO USB; red bin for those that stay dark."
    blame = Blame.NOBODY


class UnmappedPort(LineError):
    code = "L610"
    headline = "UNKNOWN PORT"
    remedy = "Take the module out, or add its USB port to the slots in the settings."
    blame = Blame.NOBODY


class TooManyScreens(LineError):
    code = "L612"
    headline = "TOO MANY SCREENS"
    remedy = "Close a screen of this station that nobody looks at, then connect again."
    blame = Blame.STATION


class PortsUnwatched(LineError):
    code = "L611"
    headline = "USB NOT SEEN"
    remedy = "Call the line engineer: the station cannot see its USB ports; restart the engine."
    blame = Blame.STATION


class SlotHeld(LineError):
    code = "L613"
    headline = "HELD"
    remedy = "Use another slot; the line engineer releases this one when it is mended (key O)."
    blame = Blame.NOBODY


class CampaignRuns(LineError):
    code = "L660"
    headline = "CAMPAIGN RUNS"
    remedy = (
        "Wait until it ends, or end it: `station campaign abort` finishes what is being written."
    )


class NoCampaign(LineError):
    code = "L661"
    headline = "NO CAMPAIGN"
    remedy = "Nothing is to be done: `station campaign status` shows what the last one did."


class SheetNotWritten(LineError):
    code = "L662"
    headline = "NO SHEET"
    remedy = (
        "Mend the folder (`sheets:` in the settings), then `station campaign sheet --html FILE`."
    )
    blame = Blame.STATION


class PolicyChanged(LineError):
    code = "L663"
    headline = "POLICY CHANGED"
    remedy = "Look at it again: `station campaign plan` says what it would do now."


class HeldByEngineer(SlotHeld):
    code = "L614"
    remedy = (
        "Use another slot; a line engineer releases this one when it is mended, with a name and a "
        "reason (key O)."
    )


class LineStopped(LineError):
    code = "L630"
    headline = "LINE STOPPED"
    remedy = (
        "Call the line engineer: nothing is started until the stop is lifted, with a name and a "
        "reason (key E, or `station line lift`)."
    )
    blame = Blame.NOBODY


class SlotOut(LineError):
    code = "L631"
    headline = "SLOT OUT"
    remedy = (
        "Sort the unit by its verdict and use another slot; the line engineer mends this one and "
        "lifts it, with a name and a reason (key O, or `station line lift --slot`)."
    )
    blame = Blame.NOBODY
