"""What modules say, whole and in parts, to begin with."""

import json
import struct

from station.protocols import at_lines, diag, firehose_xml, hdlc, sahara

Seeds = dict[str, bytes]

XML = b'<?xml version="1.0" ?><data>'


def sahara_seeds() -> Seeds:
    packets: dict[str, sahara.Packet] = {
        "hello": sahara.Hello(2, 1, 0x400, 0),
        "hello_v1": sahara.Hello(1, 1, 0x400, 0),
        "hello_v3": sahara.Hello(3, 1, 0x400, 0),
        "hello_complete": sahara.Hello(2, 1, 0x400, 1),
        "hello_memory_debug": sahara.Hello(2, 1, 0x400, 2),
        "hello_command": sahara.Hello(2, 1, 0x400, 3),
        "hello_response": sahara.HelloResponse(0),
        "read": sahara.ReadData(13, 0, 0x34),
        "read64": sahara.ReadData(13, 0x34, 0x80, wide=True),
        "read_past_the_end": sahara.ReadData(13, 0xFFFFF000, 0x1000),
        "read_too_much": sahara.ReadData(13, 0, 0xFFFFFFFF),
        "end": sahara.EndImage(13, 0),
        "end_not_signed": sahara.EndImage(13, 0x21),
        "end_unknown": sahara.EndImage(13, 0xFF),
        "done_pending": sahara.DoneResponse(0),
        "done": sahara.DoneResponse(1),
        "reset_response": sahara.ResetResponse(),
        "memory_debug": sahara.MemoryDebug(0x1000, 0x400),
        "memory_debug64": sahara.MemoryDebug(0x1000, 0x400, wide=True),
        "command_ready": sahara.CommandReady(),
        "execute_response": sahara.ExecuteResponse(1, 4),
    }
    seeds = {name: sahara.encode(packet) for name, packet in packets.items()}
    reads = [(0, 0x34), (0x34, 0x80), (0x1000, 0x1000), (0x34, 0x80)]
    loading = b"".join(sahara.encode(sahara.ReadData(13, *read)) for read in reads)
    refused = sahara.encode(sahara.EndImage(0, 0x1F))
    chip = seeds["command_ready"] + seeds["execute_response"] + bytes.fromhex("efbeadde")
    hw_id = sahara.encode(sahara.ExecuteResponse(2, 8)) + bytes(range(8))
    pk_hash = sahara.encode(sahara.ExecuteResponse(3, 96)) + bytes(range(48)) * 2
    banner = firehose_xml.compose_log("INFO: Binary build date: Jul 29 2020")
    return seeds | {
        "load": loading + seeds["end"] + seeds["done"],
        "load_pending": loading + seeds["end"] + seeds["done_pending"] + banner,
        "load_refused": loading + seeds["end_not_signed"],
        "load_falls_silent": loading,
        "hello_twice": seeds["hello"] * 2,
        "hello_then_read": seeds["hello"] + loading,
        "read_then_hello": loading + seeds["hello"],
        "chip": chip + hw_id + pk_hash + seeds["hello"],
        "chip_serial_only": chip + refused + refused + seeds["hello"],
        "chip_refused": refused,
        "programmer": banner,
        "programmer_begins": b"<?xm",
        "garbage": bytes(range(64)),
        "mem_read": struct.pack("<4I", 0x0A, 0x10, 0, 16),
    }


def firehose_seeds() -> Seeds:
    log, answer = firehose_xml.compose_log, firehose_xml.compose_response
    payload = "MaxPayloadSizeToTargetInBytes"
    sizes: dict[str, str | int] = {
        payload: 8192,
        f"{payload}Supported": 16384,
        "MemoryName": "nand",
    }
    banner = [log("INFO: Supported Functions (2):"), log("INFO: program"), log("INFO: nop")]
    banner.append(log("INFO: End of supported functions 2"))
    one_line = log("INFO: Supported Functions: program configure power read erase nop")
    facts = {"total_blocks": 2048, "block_size": 131072, "page_size": 2048, "mem_type": "NAND"}
    storage = log("INFO: " + json.dumps({"storage_info": facts}))
    raw = bytes(range(256)) * 24
    return {
        "ack": answer(True, False),
        "ack_raw": answer(True, True),
        "nak": answer(False, False),
        "nak_retry": answer(False, False, {"AttemptRetry": 1}),
        "nak_offer": answer(False, False, {payload: 8192}),
        "nak_nothing": answer(False, False, {payload: 0, f"{payload}Supported": 0}),
        "ack_sizes": answer(True, False, sizes),
        "ack_more": answer(True, False, sizes) + answer(True, False, {**sizes, payload: 16384}),
        "log": log("INFO: Calling handler for program"),
        "log_entities": log("a < b & c > \"d\" 'e' \u00e9"),
        "two_logs_one_document": XML + b'<log value="a"/><log value="b"/></data>',
        "log_badly_quoted": XML + b'<log value="a "b" c"/></data>',
        "banner": b"".join(banner),
        "banner_9x07": one_line,
        "vip": log("INFO: VIP is enabled, receiving the signed table of size 8192"),
        "storage": storage + answer(True, False),
        "report": json.dumps({"storage_info": facts}).encode(),
        "report_cut_off": json.dumps({"storage_info": facts})[:40].encode(),
        "report_deep": b'{"storage_info":' + b"[" * 1500,
        "report_huge_number": b'{"storage_info": {"page_size": ' + b"9" * 4000 + b"}}",
        "report_no_facts": b'{"storage_info": []}',
        "storage_cut_off": log('INFO: {"storage_info": {"total') + answer(True, False),
        "storage_behind": answer(True, False) + storage,
        "storage_unknown": log("WARNING: Ignoring unrecognized tag 'getstorageinfo'"),
        "program": answer(True, True) + log("INFO: done") + answer(True, False),
        "program_refused": answer(True, True) + log("ERROR: bad block") + answer(False, False),
        "read": answer(True, True) + raw + answer(True, False),
        "read_refused": answer(True, True) + raw[:2048] + log("ERROR") + answer(False, False),
        "session": b"".join(banner) + answer(True, False, sizes) + answer(True, False) * 3,
        "session_9x07": one_line + storage + answer(True, False) * 5,
        "session_refused": one_line + answer(True, False) + answer(False, False),
        "erase": firehose_xml.compose("erase", {"start_sector": 0, "num_partition_sectors": 640}),
        "doctype": b'<?xml version="1.0"?>'
        b'<!DOCTYPE d [<!ENTITY a "b">]><data><log value="&a;"/></data>',
        "nested": XML + b"<a>" * 60 + b"</a>" * 60 + b"</data>",
        "stray": b"\x7e\x00\x01stray" + answer(True, False),
        "stray_to_the_limit": bytes(firehose_xml.JUNK_BYTES) + answer(True, False),
        "unknown_element": XML + b'<digest value="00"/></data>',
        "text_inside": XML + b'text<log value="a"/></data>',
        "no_data": b'<?xml version="1.0" ?><patches></data>',
        "nul_behind": answer(True, False) + bytes(32) + answer(False, False),
        "utf16": '<?xml version="1.0" encoding="UTF-16"?><data/>'.encode("utf-16"),
    }


def diag_seeds() -> Seeds:
    version = b"\x7c\x01\0\0" + struct.pack("<II", 0x0F, 0x10) + b"EC25EFAR06A06M4G\0EC25\0"
    payloads = {
        "version": version,
        "version_empty": version[:12],
        "version_not_text": version[:12] + b"\xff\x01\0",
        "version_no_nul": version[:20],
        "echo": diag.EDL_SWITCH[:4],
        "bad_command": b"\x13\x4b\x65\x01\x00",
        "log": b"\x10\x00" + bytes(range(40)),
        "flags_inside": b"\x7e\x7d\x7e\x7d\x5e\x5d",
        "one_byte": b"\0",
        "long": bytes(range(256)) * 8,
    }
    frames = {name: hdlc.encode(payload) for name, payload in payloads.items()}
    return frames | {
        "switch": diag.EDL_SWITCH,
        "version_query": diag.VERSION_QUERY,
        "flag_first": b"\x7e" + frames["version"],
        "flags_only": b"\x7e" * 9,
        "log_then_echo": frames["log"] + frames["echo"],
        "log_then_version": frames["log"] * 3 + frames["version"],
        "echo_twice": frames["echo"] * 2,
        "damaged_then_echo": frames["log"][:-4] + b"\x7e" + frames["echo"],
        "escape_at_the_end": b"\x4b\x65\x01\x7d\x7e",
        "short": b"\x54\x0f\x7e",
        "no_end": frames["log"][:-1],
        "spc": bytes.fromhex("41303030303030df8a7e"),
        "mode_offline": bytes.fromhex("29010031407e"),
        "text": b"\r\nRDY\r\n",
    }


def at_seeds() -> Seeds:
    def reply(*lines: str, final: str = "OK") -> bytes:
        return at_lines.format_reply(lines, final)

    ati = reply("Quectel", "EC25", "Revision: EC25EFAR06A06M4G", "")
    simcom = reply("Manufacturer: SIMCOM INCORPORATED", "Model: SIMCOM_SIM7600G-H", "+GCAP: +CGSM")
    rest = [
        reply("EC25EFAR06A06M4G_01.002.01.002"),
        reply("861000000000009"),
        reply('+EGMR: "D1Q21A8210000391P"'),
        reply("+CFUN: 1"),
    ]
    echo_off = b"ATE0\r" + reply()
    return {
        "ok": reply(),
        "error": reply(final="ERROR"),
        "cme_error": reply(final="+CME ERROR: 4"),
        "echo": echo_off,
        "ati": ati,
        "ati_labelled": simcom,
        "qgmr": rest[0],
        "qgmr_prefixed": reply("+QGMR: RM500QGLAAR11A06M4G_01.001.01.001"),
        "cgsn": rest[1],
        "egmr": rest[2],
        "cfun": rest[3],
        "cfun_urc": b"\r\n+CFUN: 1\r\n" + rest[3],
        "urcs": b"\r\nRDY\r\n\r\n+CPIN: READY\r\n\r\n+QIND: PB DONE\r\n",
        "identity": echo_off + ati + b"".join(rest),
        "identity_no_cgsn": echo_off + ati + rest[0] + reply(final="ERROR") + rest[2] * 2 + rest[3],
        "identity_urcs": echo_off + ati + b"\r\n+CFUN: 1\r\n" + b"".join(rest),
        "identity_echoed": echo_off + b"ATI\r" + ati + b"AT+QGMR\r" + rest[0] + rest[1],
        "backup": echo_off
        + reply("+QPRTPARA: (1-4)")
        + reply("+QPRTPARA: 1,0,16,0,0,0,0,0,0,0,0,0,0,0")
        + reply(),
        "bare_cr": ati.replace(b"\r\n", b"\r"),
        "bare_lf": ati.replace(b"\r\n", b"\n"),
        "nul": b"\0" * 7 + reply(),
        "not_ascii": reply() + "\r\nMod\u00e8le\r\n".encode("latin-1"),
        "long_line": b"A" * 2100 + b"\r\n" + reply(),
        "endless_line": b"A" * 2100,
        "many_lines": b"\r\nx" * 80 + reply(),
        "sms": b'\r\n+CMTI: "ME",3\r\n' + reply(),
        "no_carrier": reply(final="NO CARRIER"),
        "no_end": b"\r\nQuectel\r\nEC2",
    }
