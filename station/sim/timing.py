"""How long a simulated module takes for its work."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds and bytes per second, as seen on EC25 and RM500Q."""

    at_reply_s: float = 0.005
    backup_s: float = 8.0
    diag_reply_s: float = 0.002
    edl_switch_s: float = 0.3
    edl_absent_s: float = 1.5
    hello_s: float = 0.02
    sahara_reply_s: float = 0.0002
    banner_s: float = 1.0
    firehose_reply_s: float = 0.001
    bad_block_scan_s: float = 0.3
    erase_block_s: float = 0.001
    program_bytes_per_s: float = 4e6
    read_bytes_per_s: float = 8e6
    reset_s: float = 0.01
    boot_usb_s: float = 5.0
    boot_at_s: float = 2.0


UNLIMITED = Timing(
    hello_s=0.0,
    sahara_reply_s=0.0,
    banner_s=0.0,
    firehose_reply_s=0.0,
    bad_block_scan_s=0.0,
    erase_block_s=0.0,
    program_bytes_per_s=math.inf,
    read_bytes_per_s=math.inf,
)
"""In download mode it never lets a host wait: what is measured is host and wire."""
