"""The numbers of Sahara: commands, modes, client commands, and every status in words.

Ref: qdl sahara.c; Linux drivers/accel/qaic/sahara.c. Trap: the status texts of one widespread
tool are shifted by one against its own numbers; these are not.
"""

from enum import IntEnum


class Command(IntEnum):
    HELLO = 0x01
    HELLO_RESP = 0x02
    READ_DATA = 0x03
    END_IMAGE_TX = 0x04
    DONE = 0x05
    DONE_RESP = 0x06
    RESET = 0x07
    RESET_RESP = 0x08
    MEM_DEBUG = 0x09
    MEM_READ = 0x0A
    CMD_READY = 0x0B
    SWITCH_MODE = 0x0C
    EXECUTE = 0x0D
    EXECUTE_RESP = 0x0E
    EXECUTE_DATA = 0x0F
    MEM_DEBUG64 = 0x10
    MEM_READ64 = 0x11
    READ_DATA64 = 0x12
    RESET_STATE_MACHINE = 0x13


class SaharaMode(IntEnum):
    IMAGE_TX_PENDING = 0
    IMAGE_TX_COMPLETE = 1
    MEMORY_DEBUG = 2
    COMMAND = 3


class ClientCommand(IntEnum):
    """What EXECUTE may ask for in command mode."""

    NOP = 0x00
    SERIAL_NUM_READ = 0x01
    MSM_HW_ID_READ = 0x02
    OEM_PK_HASH_READ = 0x03
    SWITCH_TO_DMSS_DLOAD = 0x04
    SWITCH_TO_STREAM_DLOAD = 0x05
    READ_DEBUG_DATA = 0x06
    GET_SBL_SW_VERSION = 0x07
    GET_COMMAND_ID_LIST = 0x08
    GET_TRAINING_DATA = 0x09
    READ_CHIP_ID_V3 = 0x0A


class Status(IntEnum):
    """Why a module ended an image. Numbers outside this list are carried as they are."""

    SUCCESS = 0x00
    INVALID_COMMAND = 0x01
    PROTOCOL_MISMATCH = 0x02
    INVALID_TARGET_PROTOCOL = 0x03
    INVALID_HOST_PROTOCOL = 0x04
    INVALID_PACKET_SIZE = 0x05
    UNEXPECTED_IMAGE_ID = 0x06
    INVALID_HEADER_SIZE = 0x07
    INVALID_DATA_SIZE = 0x08
    INVALID_IMAGE_TYPE = 0x09
    INVALID_TX_LENGTH = 0x0A
    INVALID_RX_LENGTH = 0x0B
    GENERAL_TX_RX_ERROR = 0x0C
    READ_DATA_ERROR = 0x0D
    UNSUPPORTED_PHDR_COUNT = 0x0E
    INVALID_PHDR_SIZE = 0x0F
    MULTIPLE_SHARED_SEGMENTS = 0x10
    UNINITIALISED_PHDR_LOCATION = 0x11
    INVALID_DESTINATION_ADDRESS = 0x12
    INVALID_HEADER_DATA_SIZE = 0x13
    INVALID_ELF_HEADER = 0x14
    UNKNOWN_HOST_ERROR = 0x15
    TIMEOUT_RX = 0x16
    TIMEOUT_TX = 0x17
    INVALID_HOST_MODE = 0x18
    INVALID_MEMORY_READ = 0x19
    INVALID_DATA_SIZE_REQUEST = 0x1A
    MEMORY_DEBUG_UNSUPPORTED = 0x1B
    INVALID_MODE_SWITCH = 0x1C
    COMMAND_EXECUTION_FAILURE = 0x1D
    BAD_EXECUTE_PARAMETER = 0x1E
    EXECUTE_UNSUPPORTED = 0x1F
    EXECUTE_DATA_INVALID_COMMAND = 0x20
    HASH_TABLE_AUTHENTICATION_FAILURE = 0x21
    HASH_VERIFICATION_FAILURE = 0x22
    HASH_TABLE_NOT_FOUND = 0x23
    TARGET_INIT_FAILURE = 0x24
    IMAGE_AUTHENTICATION_FAILURE = 0x25
    INVALID_HASH_TABLE_SIZE = 0x26
    ENUMERATION_FAILURE = 0x27
    HARDWARE_BULK_TRANSFER_ERROR = 0x28

    @staticmethod
    def describe(status: int) -> str:
        """Words for any status, e.g. `hash verification failure (0x22)`."""
        try:
            words = Status(status).name.lower().replace("_", " ")
        except ValueError:
            words = "unknown status"
        return f"{words} (0x{status:02x})"
