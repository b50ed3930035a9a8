"""Firehose dialogues against literal documents: the session (data transfers: next file)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import (
    Bug,
    Disconnected,
    FirehoseError,
    FirehoseSilent,
    Nak,
    StationError,
    Timeout,
    UsbBroken,
    UsbStall,
    WrongProgrammer,
)
from station.protocols.dialogue import Notice, Progress
from station.protocols.firehose import Firehose, Geometry, Profile, StorageInfo
from station.protocols.firehose_logs import Banner, find_storage_info
from station.protocols.firehose_talk import MESSAGES_PER_COMMAND
from tests.protocols.firehose_words import (
    ACK,
    ACK_RAW,
    CUTS,
    HEAD,
    NAK,
    NOP,
    P2K,
    cut,
    log,
)
from tests.protocols.script import SILENCE, Host, Module, Step, feed, run

ERASE = HEAD + (
    b'<data><erase PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" num_partition_sectors="640" '
    b'physical_partition_number="0" start_sector="0" /></data>'
)
STORAGE = HEAD + b'<data><getstorageinfo physical_partition_number="0" /></data>'


def configure(payload_bytes: int, zlp: int = 1) -> Host:
    return Host(
        HEAD + b'<data><configure MemoryName="nand" Verbose="0" AlwaysValidate="0" '
        b'MaxDigestTableSizeInBytes="2048" MaxPayloadSizeToTargetInBytes="%d" '
        b'ZlpAwareHost="%d" SkipStorageInit="0" /></data>' % (payload_bytes, zlp)
    )


def configured(answer: str, **sizes: object) -> Module:
    words = "".join(f' {name}="{value}"' for name, value in sizes.items())
    return Module(
        HEAD + f'<data><response value="{answer}" rawmode="false"{words} /></data>'.encode()
    )


def to_target(size: object, supported: object) -> dict[str, object]:
    return {
        "MaxPayloadSizeToTargetInBytes": size,
        "MaxPayloadSizeToTargetInBytesSupported": supported,
    }


def texts(shown: list[Notice | Progress]) -> list[str]:
    return [notice.text for notice in shown if isinstance(notice, Notice)]


# --- the banner -------------------------------------------------------------------------------

SDX55_FUNCTIONS = (
    b"program read nop patch configure setbootablestoragedrive erase power firmwarewrite "
    b"getstorageinfo benchmark emmc ufs fixgpt getsha256digest"
)
SDX55_BANNER = (
    log(b"INFO: Binary build date: Jul 29 2020 @ 01:25:10")
    + log(b"INFO: Chip serial num: 0 (0x0)")
    + log(b"INFO: Supported Functions (15):")
    + b"".join(log(b"INFO: " + name) for name in SDX55_FUNCTIONS.split())
    + log(b"INFO: End of supported functions 15")
)
MDM9X07_LINE = b"program configure power benchmark read getstorageinfo erase nop"


@pytest.mark.parametrize("size", CUTS)
def test_the_sdx55_banner_ends_with_its_end_marker(size: int) -> None:
    firehose, shown = Firehose(Profile()), list[Notice | Progress]()
    run(firehose.greet(), *cut(SDX55_BANNER, size), shown=shown)
    assert firehose.functions == frozenset(SDX55_FUNCTIONS.decode().split())
    assert texts(shown)[1] == "module: INFO: Chip serial num: 0 (0x0)"
    assert firehose.recent_logs[-1] == "INFO: End of supported functions 15"


@pytest.mark.parametrize("prefix", [b"INFO: Supported Functions: ", b"Supported functions:", b""])
@pytest.mark.parametrize("size", CUTS)
def test_the_9x07_banner_ends_with_its_one_line(prefix: bytes, size: int) -> None:
    firehose = Firehose(Profile())
    run(firehose.greet(), *cut(log(b"INFO: Start") + log(prefix + MDM9X07_LINE), size))
    assert firehose.functions == frozenset(MDM9X07_LINE.decode().split())


def test_the_banner_may_lie_in_the_leftover() -> None:
    firehose = Firehose(Profile(), leftover=SDX55_BANNER[:700])
    run(firehose.greet(), Module(SDX55_BANNER[700:]))
    assert len(firehose.functions) == 15


def test_no_banner_is_no_error() -> None:
    firehose = Firehose(Profile())
    run(firehose.greet(), SILENCE)
    assert firehose.functions == frozenset()


def test_a_banner_without_a_list_ends_in_silence() -> None:
    firehose = Firehose(Profile())
    run(firehose.greet(), Module(log(b"INFO: hello")), Module(b""), SILENCE)
    assert firehose.functions == frozenset()
    assert firehose.recent_logs == ("INFO: hello",)


def test_a_response_instead_of_a_banner_is_a_running_programmer() -> None:
    shown: list[Notice | Progress] = []
    run(Firehose(Profile(), leftover=NAK).greet(), shown=shown)
    assert texts(shown) == ["the programmer was running already"]


@pytest.mark.parametrize("found", [
    [ACK_RAW, b"\xff" * 2048, b"\x7fELF" * 512, ACK],
    [log(b"INFO: Calling handler for read") + ACK_RAW + b"\xff" * 2048, ACK],
    [NAK],
    [log(b"INFO: hello") + b"\xff" * 2048, b"\xff" * 2048],
], ids=["read", "glued-read", "refusal", "no-answer"])  # fmt: skip
def test_what_a_dead_host_left_to_be_read_is_heard_out(found: list[bytes]) -> None:
    leftover, *rest = found
    heard: list[Step] = [*map(Module, rest), SILENCE]
    run(Firehose(Profile(), leftover).rejoin(), *heard, Host(NOP), Module(ACK))


def test_what_a_dead_host_began_to_write_is_ended_by_a_refusal() -> None:
    refused: list[Step] = [
        Host(NOP),
        Module(log(b"ERROR: nop while 6144 bytes are missing")),
        Module(NAK),
        SILENCE,
    ]
    run(Firehose(Profile(), ACK_RAW).rejoin(), SILENCE, *refused, SILENCE, Host(NOP), Module(ACK))


def test_a_programmer_that_only_refuses_is_not_taken_over() -> None:
    refused: list[Step] = [SILENCE, Host(NOP), Module(NAK), SILENCE]
    with pytest.raises(Nak, match="nop"):
        run(Firehose(Profile(), NAK).rejoin(), *refused * 3)


def test_vip_is_an_error_at_once() -> None:
    vip = log(b"INFO: VIP is enabled, receiving the signed table of size 8192")
    with pytest.raises(WrongProgrammer, match="VIP"):
        run(Firehose(Profile()).greet(), Module(vip))
    with pytest.raises(WrongProgrammer, match="VIP"):
        run(Firehose(Profile()).rejoin(), Module(vip))


def test_an_endless_banner_is_an_error() -> None:
    endless = [Module(log(b"x"))] * MESSAGES_PER_COMMAND
    with pytest.raises(FirehoseError, match="banner"):
        run(Firehose(Profile()).greet(), *endless)


@given(st.lists(st.text(max_size=60) | st.sampled_from(["Supported Functions (3):", "INFO: nop"])))
def test_banners_of_any_text(lines: list[str]) -> None:
    banner = Banner()
    for line in lines:
        banner.read(line)
    assert len(banner.functions) <= 64


# --- configure --------------------------------------------------------------------------------


def test_configure_as_real_nand_programmers_answer() -> None:
    answer = HEAD + (
        b'\n<data>\n<response value="ACK" rawmode="false" MinVersionSupported="1" Version="1" '
        b'MaxPayloadSizeToTargetInBytes="8192" MaxPayloadSizeToTargetInBytesSupported="8192" '
        b'MaxXMLSizeInBytes="4096" MemoryName="nand" DateTime="Jul 29 2020 - 01:25:10" /></data>'
    )
    firehose = Firehose(Profile())
    result = run(firehose.configure(), configure(8192), Module(answer))
    assert (result.payload_bytes, firehose.payload_bytes) == (8192, 8192)
    assert result.attributes["DateTime"] == "Jul 29 2020 - 01:25:10"


def test_the_profile_rules_zero_length_packets() -> None:
    firehose = Firehose(Profile(zlp=False))
    run(firehose.configure(), configure(8192, zlp=0), Module(ACK))
    run(firehose.nop(), Host(NOP, zlp=False), Module(ACK))
    run(Firehose(Profile()).nop(), Host(NOP, zlp=True), Module(ACK))


def test_a_nak_with_an_acceptable_payload_is_asked_again() -> None:
    run_result = run(
        Firehose(Profile(payload_bytes=1 << 20)).configure(),
        configure(1 << 20),
        Module(log(b"Host&apos;s payload to target size is too large")),
        configured("NAK", **to_target(8192, 8192)),
        configure(8192),
        configured("ACK", **to_target(8192, 8192)),
    )
    assert run_result.payload_bytes == 8192


def test_an_ack_with_less_holds() -> None:
    result = run(
        Firehose(Profile(payload_bytes=16384)).configure(),
        configure(16384),
        configured("ACK", **to_target(4096, 4096)),
    )
    assert result.payload_bytes == 4096


@pytest.mark.parametrize("size", [1 << 21, 0x80000000])
def test_an_ack_with_more_than_was_asked_grants_what_was_asked(size: int) -> None:
    result = run(
        Firehose(Profile()).configure(),
        configure(8192),
        configured("ACK", **to_target(size, 8192)),
    )
    assert result.payload_bytes == 8192


def test_an_offer_beyond_the_cap_is_absurd() -> None:
    with pytest.raises(FirehoseError, match="absurd MaxPayloadSizeToTargetInBytes: '2097152'"):
        run(
            Firehose(Profile()).configure(),
            configure(8192),
            configured("NAK", **to_target(1 << 21, 8192)),
        )


def test_more_is_asked_once_when_supported() -> None:
    firehose = Firehose(Profile())
    result = run(
        firehose.configure(),
        configure(8192),
        configured("ACK", **to_target(8192, 16384)),
        configure(16384),
        configured("ACK", **to_target(16384, 32768)),
    )
    assert result.payload_bytes == firehose.payload_bytes == 16384


def test_more_is_bounded_by_the_profile() -> None:
    result = run(
        Firehose(Profile(payload_cap_bytes=16384)).configure(),
        configure(8192),
        configured("ACK", **to_target(8192, 1 << 24)),
        configure(16384),
        configured("ACK", **to_target(16384, 1 << 24)),
    )
    assert result.payload_bytes == 16384


def test_more_refused_falls_back() -> None:
    result = run(
        Firehose(Profile()).configure(),
        configure(8192),
        configured("ACK", **to_target(8192, 16384)),
        configure(16384),
        configured("NAK", **to_target(8192, 16384)),
        configure(8192),
        configured("ACK", **to_target(8192, 16384)),
    )
    assert result.payload_bytes == 8192


def test_what_was_refused_is_not_asked_again() -> None:
    result = run(
        Firehose(Profile(payload_bytes=16384)).configure(),
        configure(16384),
        configured("NAK", **to_target(8192, 16384)),
        configure(8192),
        configured("ACK", **to_target(8192, 16384)),
    )
    assert result.payload_bytes == 8192


@pytest.mark.parametrize(
    "sizes",
    [
        to_target(8192, 8192),  # no less than was asked
        {},
    ],
)
def test_a_nak_without_a_way_out(sizes: dict[str, object]) -> None:
    with pytest.raises(Nak, match="refused configure with a payload of 8192 bytes; it said: no"):
        run(
            Firehose(Profile()).configure(),
            configure(8192),
            Module(log(b"no")),
            configured("NAK", **sizes),
            SILENCE,
        )


def test_a_peek_loader_is_the_wrong_programmer() -> None:
    refused = configured("NAK", **to_target(8192, 0))
    with pytest.raises(WrongProgrammer, match="cannot flash, it supports no payload"):
        run(Firehose(Profile()).configure(), configure(8192), refused, SILENCE)


def test_configure_is_tried_a_few_times_only() -> None:
    sizes = [16384, 8192, 4096, 2048, 1024]
    steps: list[Step] = []
    for size in sizes:
        steps += [configure(size), configured("NAK", **to_target(size // 2, 8192))]
    with pytest.raises(Nak, match="configure"):
        run(Firehose(Profile(payload_bytes=16384)).configure(), *steps, SILENCE)


@pytest.mark.parametrize("size", ["0", "-8192", "8191", "1048577", "99999999999", "x", "", "٨١٩٢"])
@pytest.mark.parametrize("answer", ["ACK", "NAK"])
def test_absurd_payloads(answer: str, size: str) -> None:
    with pytest.raises(FirehoseError, match="absurd MaxPayloadSizeToTargetInBytes"):
        run(
            Firehose(Profile()).configure(),
            configure(8192),
            configured(answer, **to_target(size, 8192)),
        )


def test_configure_may_not_open_raw_mode() -> None:
    with pytest.raises(FirehoseError, match="raw mode"):
        run(Firehose(Profile()).configure(), configure(8192), Module(ACK_RAW))


def test_another_memory_is_noticed() -> None:
    shown: list[Notice | Progress] = []
    run(
        Firehose(Profile()).configure(),
        configure(8192),
        configured("ACK", MemoryName="eMMC"),
        shown=shown,
    )
    assert texts(shown) == ["the programmer says eMMC instead of nand"]


# --- storage ----------------------------------------------------------------------------------

REPORT = (
    b"INFO: {&quot;storage_info&quot;: {&quot;total_blocks&quot;:2048, "
    b"&quot;block_size&quot;:131072, &quot;page_size&quot;:2048, &quot;num_physical&quot;:1, "
    b"&quot;mem_type&quot;:&quot;NAND&quot;, &quot;prod_name&quot;:&quot;MT29F2G08&quot;}}"
)
EG25 = StorageInfo(2048, 131072, 2048, 1, "NAND", "MT29F2G08")


@pytest.mark.parametrize("size", CUTS)
def test_storage_info_from_the_log(size: int) -> None:
    said = log(b"INFO: Calling handler for getstorageinfo") + log(REPORT) + ACK
    info = run(Firehose(Profile()).storage_info(), Host(STORAGE), *cut(said, size))
    assert info == EG25
    assert (info.pages_per_block, info.total_sectors) == (64, 131072)


def test_storage_info_behind_the_response() -> None:
    steps = (Host(STORAGE), Module(ACK), Module(log(REPORT)), SILENCE)
    assert run(Firehose(Profile()).storage_info(), *steps) == EG25


@pytest.mark.parametrize(
    "steps",
    [
        (Module(NAK),),
        (Module(ACK), SILENCE),
        (Module(log(b"WARN: Ignoring unrecognized tag &apos;getstorageinfo&apos;")), SILENCE),
    ],
)
def test_programmers_that_cannot_tell(steps: tuple[Step, ...]) -> None:
    assert run(Firehose(Profile()).storage_info(), Host(STORAGE), *steps) is None


def test_a_programmer_that_does_not_offer_it_is_not_asked() -> None:
    firehose = Firehose(Profile(), leftover=log(b"Supported Functions: program erase nop"))
    run(firehose.greet())
    assert run(firehose.storage_info()) is None


def test_mere_silence_is_an_error() -> None:
    with pytest.raises(FirehoseSilent, match="getstorageinfo"):
        run(Firehose(Profile()).storage_info(), Host(STORAGE), SILENCE)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ('{"storage_info": {"total_blocks":', "damaged"),
        ('{"storage_info": ' + "[" * 4000, "damaged"),
        ('{"storage_info": {"total_blocks":' + "9" * 4050, "damaged"),
        ('["storage_info"]', "damaged"),
        ('{"a": "storage_info"}', "holds no facts"),
        ('{"storage_info": 7}', "holds no facts"),
        ('{"storage_info": {}}', "no usable page_size"),
        ('{"storage_info": {"page_size":true}}', "no usable page_size"),
        ('{"storage_info": {"page_size":"2048"}}', "no usable page_size"),
        ('{"storage_info": {"page_size":2048, "block_size":-1}}', "no usable block_size"),
        ('{"storage_info": {"page_size":2048, "block_size":1e9}}', "no usable block_size"),
        ('{"storage_info": {"page_size":2048, "block_size":5000}}', "no whole pages"),
        ('{"storage_info": {"page_size":2048, "block_size":4096}}', "no usable total_blocks"),
    ],
)
def test_storage_reports_that_make_no_sense(facts: str, why: str) -> None:
    with pytest.raises(FirehoseError, match=why):
        find_storage_info(f"INFO: {facts}")


def test_a_block_smaller_than_its_page_counts_pages() -> None:
    info = find_storage_info(
        '{"storage_info": {"total_blocks":2048, "block_size":64, "page_size":4096}}'
    )
    assert info == StorageInfo(2048, 262144, 4096, None, "", "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["total_blocks", "block_size", "page_size", "mem_type", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_report_or_a_firehose_error(facts: object) -> None:
    try:
        info = find_storage_info(json.dumps({"storage_info": facts}))
    except FirehoseError:
        return
    assert info is not None
    assert info.pages_per_block > 0


# --- plain commands ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", CUTS)
def test_erase(size: int) -> None:
    said = log(b"INFO: Erasing start sector 0, num sectors 0") + ACK
    shown: list[Notice | Progress] = []
    run(
        Firehose(Profile()).erase(0, 640, P2K),
        Host(ERASE),
        Module(b""),
        *cut(said, size),
        shown=shown,
    )
    assert texts(shown) == ["module: INFO: Erasing start sector 0, num sectors 0"]


def test_logs_behind_the_response_are_taken_before_the_next_command() -> None:
    firehose = Firehose(Profile())
    run(firehose.nop(), Host(NOP), Module(ACK + log(b"INFO: late, glued")))
    shown: list[Notice | Progress] = []
    run(firehose.nop(), Module(log(b"INFO: late")), Host(NOP), Module(ACK), shown=shown)
    assert texts(shown) == ["module: INFO: late, glued", "module: INFO: late"]


def test_a_doubled_ack_does_not_answer_the_next_command() -> None:
    firehose = Firehose(Profile())
    run(firehose.nop(), Host(NOP), Module(ACK + ACK))
    shown: list[Notice | Progress] = []
    with pytest.raises(Nak, match="refused nop"):
        run(firehose.nop(), Host(NOP), Module(NAK), SILENCE, shown=shown)
    assert texts(shown) == ["a late ACK was discarded before nop"]


def test_a_nak_carries_the_last_words_of_this_command() -> None:
    firehose = Firehose(Profile(), leftover=log(b"INFO: older"))
    with pytest.raises(Nak) as refused:
        run(
            firehose.erase(0, 640, P2K),
            Host(ERASE),
            Module(log(b"ERROR: start_sector unaligned")),
            Module(NAK),
            Module(log(b"ERROR: " + b"x" * 500)),
            SILENCE,
        )
    assert refused.value.cause == (
        "the module refused erase of 640 sectors at 0; it said: ERROR: start_sector unaligned | "
        "ERROR: " + "x" * 193
    )
    assert len(firehose.recent_logs) == 3


@pytest.mark.parametrize("end", [SILENCE, Disconnected("gone"), Module(b"\x55" * 2000)])
def test_whatever_follows_a_nak_does_not_hide_it(end: Step) -> None:
    with pytest.raises(Nak, match="refused nop"):
        run(Firehose(Profile()).nop(), Host(NOP), Module(NAK), end)


def test_silence_names_the_command() -> None:
    with pytest.raises(FirehoseSilent, match=r"no answer to erase of 640 .* 30 s; it said: INFO"):
        run(Firehose(Profile()).erase(0, 640, P2K), Host(ERASE), Module(log(b"INFO")), SILENCE)
    with pytest.raises(FirehoseSilent, match="does not take the command nop"):
        run(Firehose(Profile()).nop(), Timeout("write"))


def test_a_chatty_module_is_bounded() -> None:
    with pytest.raises(FirehoseError, match="no answer to nop"):
        run(Firehose(Profile()).nop(), Host(NOP), *[Module(log(b"x"))] * MESSAGES_PER_COMMAND)
    with pytest.raises(FirehoseError, match="one whole document"):
        run(Firehose(Profile()).nop(), Host(NOP), *[Module(b"")] * 8192)


def test_raw_mode_unasked_is_an_error() -> None:
    with pytest.raises(FirehoseError, match="opened raw mode"):
        run(Firehose(Profile()).erase(0, 640, P2K), Host(ERASE), Module(ACK_RAW))


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, 0), (0, -1), (1 << 32, 1)])
def test_an_empty_or_unbounded_erase_is_never_sent(start: int, count: int) -> None:
    with pytest.raises(Bug):
        run(Firehose(Profile()).erase(start, count, P2K))
    with pytest.raises(Bug):
        run(Firehose(Profile()).erase(0, 64, Geometry(2048, 0)))


def test_a_vendor_line_goes_out_as_it_is() -> None:
    line = b'<erase vendor="quectel" a_rawdata_start_sector="12544"  b_rawdata_num_sector="640"/>'
    document = HEAD + b"<data>" + line + b"</data>"
    run(Firehose(Profile()).forward(line), Host(document), Module(log(b"INFO: done") + ACK))
    with pytest.raises(Nak, match="the vendor line"):
        run(Firehose(Profile()).forward(line), Host(document), Module(NAK), SILENCE)


# --- power ------------------------------------------------------------------------------------

RESET = HEAD + b'<data><power value="reset" DelayInSeconds="1" /></data>'


@pytest.mark.parametrize(
    "steps",
    [
        (Module(ACK),),
        (Module(log(b"INFO: Will issue reset/power off 100 useconds from now") + ACK),),
        (Disconnected("gone"),),
        (Module(log(b"INFO: bsp_target_reset() 1")), UsbBroken("EPROTO")),
    ],
)
def test_reset(steps: tuple[Step, ...]) -> None:
    run(Firehose(Profile()).power(), Host(RESET), *steps)


@pytest.mark.parametrize("error", [Disconnected("gone"), UsbBroken("EPROTO"), UsbStall("EPIPE")])
def test_reset_is_done_when_the_module_leaves_within_the_command(error: StationError) -> None:
    shown: list[Notice | Progress] = []
    run(Firehose(Profile()).power(), error, shown=shown)
    assert texts(shown) == ["the module left the bus at power reset"]


def test_power_names_what_it_is_asked() -> None:
    document = HEAD + b'<data><power value="reset_to_edl" DelayInSeconds="10" /></data>'
    run(Firehose(Profile()).power("reset_to_edl", 10), Host(document), Module(ACK))
    with pytest.raises(Bug):
        run(Firehose(Profile()).power("explode"))


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ((Host(RESET), Module(NAK), SILENCE), Nak),
        ((Host(RESET), SILENCE), FirehoseSilent),
        ((Timeout("the module takes nothing"),), FirehoseSilent),
    ],
)
def test_a_reset_that_fails(steps: tuple[Step, ...], error: type[StationError]) -> None:
    with pytest.raises(error):
        run(Firehose(Profile()).power(), *steps)


@given(st.lists(st.binary(max_size=40) | st.sampled_from([ACK, NAK, ACK_RAW, HEAD]), max_size=8))
def test_any_answer_ends_in_a_result_or_a_named_error(reads: list[bytes]) -> None:
    dialogue = Firehose(Profile()).configure()
    with pytest.raises((StopIteration, StationError)):
        feed(dialogue, reads)
