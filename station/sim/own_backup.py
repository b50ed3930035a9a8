"""What a simulated module keeps of its own backups: AT+QPRTPARA, as it answers and as it counts.

The counts outlive a restart. A restart, or the switch to EDL, amid a backup ruins it.
"""

from dataclasses import dataclass

from station.sim.referee import Referee


@dataclass(slots=True)
class OwnBackup:
    """`counts`: a backup that ends well is counted, as it should be."""

    referee: Referee
    offered: bool = True
    counts: bool = True
    backups: int = 1
    restores: int = 0
    under_way: bool = False

    def answer(self, value: str) -> list[str] | None:
        """The lines before OK to `AT+QPRTPARA=value`; None for ERROR."""
        if not self.offered:
            if value in ("?", "4"):
                return None
            return [] if self.referee.breach("at", f"AT+QPRTPARA={value}, never offered") else None
        match value:
            case "?":
                return ["+QPRTPARA: (1-4)"]
            case "4":
                return [f"+QPRTPARA: {self.backups},{self.restores},16{',0' * 11}"]
            case "1":
                self.under_way = True
                return []
            case "3":
                return self._restore()
            case _:
                return None

    def _restore(self) -> list[str] | None:
        """An old calibration over that of today: no host of ours may ask for it."""
        if not self.referee.breach("at", "AT+QPRTPARA=3 puts an old calibration back"):
            return None
        self.restores += 1
        return []

    def finish(self) -> None:
        """The time that a backup takes is over."""
        if self.under_way:
            self.under_way = False
            self.backups += self.counts

    def cut_off(self, by: str) -> None:
        """Whatever ends the running firmware."""
        if self.under_way:
            self.under_way = False
            self.referee.breach("at", f"{by} while the module backs itself up")
