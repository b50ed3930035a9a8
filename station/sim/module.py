"""A simulated Quectel NAND module: what it is, which face it shows, who answers.

Without a clock and without I/O: it answers each transfer with durations (`station.sim.port`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from station.model import Mode
from station.protocols.sahara import SaharaMode
from station.sim import faces
from station.sim.at_side import AtSide, Running
from station.sim.boot import Boot, boot, model_of, revision_of
from station.sim.diag_side import DiagSide
from station.sim.families import FAMILIES
from station.sim.faults import Arrival, Traits
from station.sim.firehose_side import FirehoseSide, Programmer
from station.sim.flash_work import Extent, FlashWork
from station.sim.layouts import Layout
from station.sim.mishap import NONE, Cure, Fate, Mishap
from station.sim.nand import Geometry, Nand
from station.sim.own_backup import OwnBackup
from station.sim.port import Face, Later, Leave, Reaction, Taken
from station.sim.referee import Breach, OutLog, Referee
from station.sim.sahara_side import BootRom, SaharaSide, Stage
from station.sim.timing import Timing

VIP = "VIP is enabled, receiving the signed table of size 8192"
_SET_LINE_STATE = (0x21, 0x22)
LOOP_S = 4.0
"""A module in a boot loop is off the bus for so long between two windows."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`chip_serial`: eight hex digits, lower case. `imei_after` shows up with a fault only."""

    imei: str
    serial: str
    chip_serial: str
    imei_after: str


class SimModule:
    """Implements `station.sim.port.Module`. `log_out`: keep what it is sent, for who asks later;
    `keep_payload`: image data too, not only its digest."""

    def __init__(
        self,
        layout: Layout,
        nand: Nand,
        calibration: Mapping[str, bytes],
        identity: Identity,
        *,
        traits: Traits = Traits(),  # noqa: B008 - frozen
        timing: Timing = Timing(),  # noqa: B008 - frozen
        tolerant: bool = False,
        keep_payload: bool = False,
        log_out: bool = True,
        mishap: Mishap = NONE,
    ) -> None:
        self.layout = layout
        self.family = FAMILIES[layout.family]
        self.nand = nand
        self.identity = identity
        self.traits = traits
        self.timing = timing
        self.referee = Referee(tolerant=tolerant)
        self.own_backup = OwnBackup(self.referee)
        self.out_log = OutLog(keep_payload)
        self._log_out = log_out
        self.fate = Fate(mishap)
        self.vendor_lines: list[bytes] = []
        self.flashed = False
        """An image was programmed since the module was made."""
        self.calibration = calibration
        self._made_with = boot(nand, layout, calibration).version
        self._in_edl = 0
        self._power_ons = 0
        self._face: Face | None = None
        self._interfaces: frozenset[int] = frozenset()
        self._at: dict[int, AtSide] = {}
        self._diag: DiagSide | None = None
        self._sahara: SaharaSide | None = None
        self._firehose: FirehoseSide | None = None

    @property
    def breaches(self) -> list[Breach]:
        return self.referee.breaches

    @property
    def mode(self) -> str:
        """runtime, sahara, firehose or crashed: the word of `out_log`."""
        if self._firehose is not None:
            return "firehose"
        if self._sahara is not None:
            crashed = self._face is not None and self._face.pid == faces.CRASHED_PID
            return "crashed" if crashed else "sahara"
        return "runtime"

    # --- station.sim.port.Module --------------------------------------------------------------

    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        self.fate.cured_by(Cure.POWER)
        if self.fate.stays_dead or self._is_dead:
            return self._boot_face(), (Leave(None),)
        self._power_ons += 1
        face = {
            Arrival.FLASH: self._boot_face,
            Arrival.EDL: self._edl_face,
            Arrival.PROGRAMMER: self._edl_face,
            Arrival.CRASHED: self._crashed_face,
        }[self.traits.arrival]()
        reactions = self.enumerated(face)
        if self.traits.arrival is Arrival.PROGRAMMER:
            self._firehose = self._start_programmer()
            reactions = ()
        return face, () if self._hangs else reactions

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        self._face = face
        self._interfaces = frozenset(interface.number for interface in face.interfaces)
        if self.fate.keeps_state:
            self.fate.keeps_state = False
            self.own_backup.finish()
            return tuple(reaction for side in self._at.values() for reaction in side.boot())
        self.own_backup.cut_off("a restart")
        self._at, self._diag, self._sahara, self._firehose = {}, None, None, None
        if face.vid == faces.QUECTEL:
            return self._start_system()
        crashed = face.pid == faces.CRASHED_PID
        self._sahara = SaharaSide(self._boot_rom(crashed=crashed), self.referee, self.timing)
        looping_s = self.traits.boot_loop_s
        loop = () if looping_s is None or crashed else (Later(self._give_up, looping_s),)
        return *self._sahara.greet(), *loop

    def bus_reset(self) -> tuple[Reaction, ...]:
        """A boot ROM greets anew; a programmer, or a running module, goes on as it was."""
        self.fate.cured_by(Cure.RESET)
        if self._sahara is None or self._firehose is not None or self._face is None:
            return ()
        return self.enumerated(self._face)

    def receive(self, interface: int, data: bytes) -> Taken:
        if self._log_out:
            raw = self._takes_raw(data)
            (self.out_log.note_raw if raw else self.out_log.note)(self.mode, interface, data)
        if self._hangs:
            return Taken()
        if interface not in self._interfaces:
            self.referee.breach("usb", f"a transfer for interface {interface}, which is not there")
            return Taken()
        if (ill := self._mishap(interface, data)) is not None:
            return ill
        if self._firehose is not None:
            return self._to_firehose(self._firehose, data)
        if self._sahara is not None:
            return self._to_sahara(self._sahara, data)
        if self._diag is not None and interface == faces.DIAG:
            self.own_backup.cut_off("a word to DIAG")
            return self._diag.receive(data)
        if interface in self._at:
            return self._at[interface].receive(data)
        return Taken()

    def control(self, request_type: int, request: int, value: int, index: int) -> None:
        port = self._diag if index == faces.DIAG else self._at.get(index)
        if (request_type, request) == _SET_LINE_STATE and port is not None:
            port.line_state = value
        elif (request_type, request) != _SET_LINE_STATE or self._sahara is not None:
            self.referee.breach(
                "usb", f"control request {request_type:02x} {request:02x} {value:04x} {index:04x}"
            )

    def _mishap(self, interface: int, data: bytes) -> Taken | None:
        """What happens to this transfer instead of what should."""
        if (ill := self.fate.still(interface)) is not None:
            return ill
        if self._face is None or not self.fate.is_due(self._step(interface, data)):
            return None
        return self.fate.strike(interface, self._face, self._boot_face(), self._crashed_face())

    def _step(self, interface: int, data: bytes) -> str:
        """The step of a flash that this transfer belongs to."""
        if self._firehose is not None:
            return self._firehose.step(data)
        if self._sahara is not None:
            return "load_programmer"
        if interface == faces.DIAG:
            return "enter_edl"
        if b"QPRTPARA" in data:
            return "backup"
        return "confirm" if self.flashed else "identify"

    def _give_up(self) -> tuple[Reaction, ...]:
        """The watchdog of a module in a boot loop; a programmer that runs feeds it."""
        return () if self._firehose is not None else (Leave(self._edl_face(), absent_s=LOOP_S),)

    @property
    def _is_dead(self) -> bool:
        """It did not come back from the flash, and nothing brings it."""
        return self.flashed and not (
            self.traits.returns_after_flash or self.traits.returns_by_power
        )

    @property
    def _hangs(self) -> bool:
        return self.traits.hangs_once and self._power_ons == 1

    # --- who answers --------------------------------------------------------------------------

    def _takes_raw(self, data: bytes) -> bool:
        side = self._firehose or self._sahara
        return side is not None and side.takes_raw(data)

    def _to_sahara(self, sahara: SaharaSide, data: bytes) -> Taken:
        taken = sahara.receive(data)
        match sahara.stage:
            case Stage.RUNNING:
                self._firehose = self._start_programmer()
                return Taken(taken.busy_s, (*taken.reactions, *self._firehose.banner()))
            case Stage.RESET:
                return Taken(taken.busy_s, (*taken.reactions, self._reboot(0)))
            case _:
                return taken

    def _to_firehose(self, firehose: FirehoseSide, data: bytes) -> Taken:
        if firehose.leaving is not None:  # it waits for its reset, and reads nothing more
            return Taken()
        taken = firehose.receive(data)
        self.flashed |= firehose.has_begun
        self.vendor_lines += firehose.vendor_lines
        firehose.vendor_lines.clear()
        match firehose.leaving:
            case None:
                return taken
            case "reset":
                leave = self._reboot(firehose.delay_s)
            case "reset_to_edl":
                after_s = self.timing.reset_s + firehose.delay_s
                leave = Leave(self._edl_face(), after_s, self.timing.edl_absent_s)
            case _:
                leave = Leave(None, self.timing.reset_s + firehose.delay_s)
        return Taken(taken.busy_s, (*taken.reactions, leave))

    # --- starting -----------------------------------------------------------------------------

    def _start_system(self) -> tuple[Reaction, ...]:
        running = self._running(self._boot())
        self.own_backup.offered = self.traits.offers_backup
        self.own_backup.counts = self.traits.counts_backups
        self._diag = DiagSide(
            faces.DIAG,
            running,
            self._edl_face() if self.traits.reaches_edl else None,
            self.referee,
            self.timing,
            echoes=self.traits.echoes_switch,
        )
        self._at = {
            number: AtSide(
                number,
                running,
                self.referee,
                self.timing,
                noisy=self.traits.noisy_at,
                values_s=self.traits.at_values_s,
                backup=self.own_backup,
            )
            for number in (faces.AT, faces.MODEM)
        }
        return tuple(reaction for side in self._at.values() for reaction in side.boot())

    def _start_programmer(self) -> FirehoseSide:
        made = self.layout
        geometry = self.nand.geometry
        if self.traits.other_geometry:
            geometry = Geometry(
                geometry.page_bytes * 2, geometry.pages_per_block, geometry.blocks // 2
            )
        work = FlashWork(
            self.nand,
            geometry,
            tuple(Extent(made.start_sector(p), made.num_sectors(p)) for p in made.calibration),
            self.referee,
            raw_reads=self.traits.raw_reads,
            hides_kept=self.traits.refuses_efs_reads,
            spoils_program=self.traits.spoils_program,
        )
        vip = (VIP,) if self.traits.wants_tables else ()
        programmer = Programmer(
            (*self.family.banner, *vip),
            made.product,
            nak_program=self.traits.nak_program,
            nak_early_program=self.traits.nak_early_program,
            unplug_after_bytes=self.traits.unplug_after_bytes,
            zlp_after_read=self.traits.zlp_after_read,
            refuses_reads=self.traits.refuses_reads,
            payload_bytes=self.traits.payload_bytes,
        )
        return FirehoseSide(programmer, work, self.referee, self.timing)

    def _boot_rom(self, *, crashed: bool) -> BootRom:
        return BootRom(
            self.layout.family,
            self.identity.chip_serial,
            version=self.traits.sahara_version,
            mode=SaharaMode.MEMORY_DEBUG if crashed else SaharaMode.IMAGE_TX_PENDING,
            silent=self.traits.sahara_silent,
            greets=self.traits.sahara_greets,
            given_up=not crashed and self._echoed(),
            answers_commands=self.traits.answers_commands,
            refuses_commands=self.traits.refuses_commands,
            refuses_with=self.traits.refuses_with,
            done_status=self.traits.done_status,
            wide_reads=self.traits.wide_reads,
        )

    def _echoed(self) -> bool:
        self._in_edl += 1
        return self._in_edl <= self.traits.echoed_hellos

    def _reboot(self, delay_s: int) -> Leave:
        boots_s = self.timing.boot_usb_s
        if self.traits.boot_usb_s is not None:
            boots_s = self.traits.boot_usb_s
        returns = self.traits.returns_after_flash or not self.flashed
        face = self._boot_face() if returns else None
        return Leave(face, self.timing.reset_s + delay_s, boots_s)

    # --- what the flash makes of it -----------------------------------------------------------

    def _boot(self) -> Boot:
        return boot(self.nand, self.layout, self.calibration)

    def _boot_face(self) -> Face:
        booted = self._boot()
        match booted.mode:
            case Mode.RUNTIME:
                return faces.runtime_face(
                    self.family.usb_pid,
                    model_of(booted.version),
                    superspeed=self.family.superspeed,
                )
            case Mode.EDL:
                return self._edl_face()
            case _:
                return self._crashed_face()

    def _running(self, booted: Boot) -> Running:
        traits = self.traits if self.flashed else Traits()
        version = self._made_with if traits.keeps_version else booted.version
        imei = self.identity.imei_after if traits.other_imei else self.identity.imei
        return Running(
            version,
            revision_of(version),
            model_of(version),
            imei if booted.calibrated else None,
            self.identity.serial if booted.calibrated else None,
            traits.functionality_after_flash if booted.calibrated else 5,
        )

    def _edl_face(self) -> Face:
        serial = self.identity.chip_serial.upper()
        named = self.traits.serial_in_product
        product = f"QUSB_BULK_CID:0410_SN:{serial}" if named else "QUSB__BULK"
        return faces.edl_face(product, self.family.edl_protocol)

    def _crashed_face(self) -> Face:
        face = faces.crashed_face(f"QUSB_BULK_SN:{self.identity.chip_serial.upper()}")
        return face if self.traits.crash_readable else replace(face, interfaces=())
