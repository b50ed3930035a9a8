"""Words that mean something to a parser, for the mutator to put in wrong places."""

TAGS = (
    b"<data>",
    b"</data>",
    b"<a>",
    b"</a>",
    b"<a/>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b'<?xml version="1.0" ?>',
    b"<!DOCTYPE a [",
    b'<!ENTITY a "b">',
    b"&a;",
    b"&#0;",
    b"&#x110000;",
    b' a=""',
    b"\xef\xbb\xbf",
    b"\xff",
    b"\r\n",
    b'"',
)
YAML = (
    b"- ",
    b"? ",
    b": ",
    b"&a ",
    b"*a",
    b"!!x ",
    b"<<: ",
    b"[",
    b"{",
    b"}",
    b"|\n",
    b"---\n",
    b"\t",
    b"\\UFFFFFFFF",
    b"'",
    b'"',
    b"%YAML 9\n",
    b"1_0:3.e5",
    b"\xc2\x85",
    b"\xff",
)
JSON = (
    b"[",
    b"{",
    b'"do":',
    b'"type":',
    b"null",
    b"1e999",
    b"-0",
    b"NaN",
    b"\\ud800",
    b"\\u0000",
    b'"\\u202e"',
    b"9" * 400,
    b",",
    b"}",
    b"\xff",
)

SAHARA = (
    b"<?xml",
    b"\x01\0\0\0\x30\0\0\0",
    b"\x03\0\0\0\x14\0\0\0\x0d\0\0\0",
    b"\x12\0\0\0\x20\0\0\0",
)
FIREHOSE = (
    *TAGS,
    b'<response value="NAK" rawmode="false" />',
    b'<log value="x" />',
    b"\0",
    b'{"storage_info":',
    b"INFO: ",
)
DIAG = (b"\x7e", b"\x7d", b"\x7d\x5e", b"\x7c", b"\x4b\x65\x01\x00")
AT = (
    b"\r\nOK\r\n",
    b"\r\nERROR\r\n",
    b"\r\n+CME ERROR: 3\r\n",
    b"ATE0\r",
    b"ATI\r",
    b"\r",
    b"\n",
    b"+CFUN: ",
    b"+EGMR: ",
    b"+QPRTPARA: ",
    b"\r\nRDY\r\n",
    b"\0",
    b"\xff",
    b'"',
    b",",
)
RAWPROGRAM = (
    *TAGS,
    b' vendor="quectel"',
    b' sparse="true"',
    b' file_sector_offset="1"',
    b"<erase/>",
)
MD5_LIST = (
    b"FILE:START\n",
    b"FILE:END\n",
    b"..\\",
    b"/",
    b":",
    b"C:",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\0",
    b"\xe2\x80\xae",
    b"FILE:a:" + b"0" * 32 + b"\n",
)
ZIP = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"../", b"\x08\0")
MIBIB = (b"0:EFS2", b"\xff\xff\xff\xff", bytes.fromhex("ac9f56fe7a127fcd"), b"\0" * 28)
BUNDLE = (*ZIP, *JSON, b"attempts.jsonl", b"manifest.json", b'"sha256": "', b"\n", b'"')
TRANSCRIPT = (*JSON, b'"k":"receive",', b'"hex":"', b'"text":"', b'"t":', b'"k":"left_out",', b"\n")
