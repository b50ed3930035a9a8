"""How Textual's own widgets look on our screens, in full colour and in eight."""

_CSS = """
{name} {{ background: #000000; color: #e8e8e8; overflow: hidden; }}
{name} Input {{ background: #303030; color: #ffffff; border: none; height: 1; padding: 0 1; }}
{name} Input > .input--placeholder {{ color: #a0a0a0; }}
{name} Input:focus {{ background: #ffffff; color: #000000; }}
{name} Input:focus > .input--cursor {{ background: #0072b2; color: #ffffff; text-style: none; }}
{name} Input:focus > .input--placeholder {{ color: #505050; }}
{name} Button.-textual-compact {{
    background: #303030; color: #ffffff; border: none; height: 1; line-pad: 1; text-style: bold;
}}
{name} Button.-textual-compact:focus {{
    background: #0072b2; color: #ffffff; text-style: bold; background-tint: #0072b2 0%;
}}
{name} Button.-textual-compact:disabled {{ background: #303030; color: #a0a0a0; }}
{name} DataTable {{ background: #000000; color: #e8e8e8; scrollbar-size-horizontal: 0; }}
{name} DataTable > .datatable--header {{ background: #121212; color: #ffffff; text-style: bold; }}
{name} DataTable > .datatable--cursor {{ background: #303030; color: #ffffff; }}
{name} DataTable:focus > .datatable--cursor {{ background: #ffffff; color: #000000; }}
{name} VerticalScroll {{ scrollbar-size-vertical: 1; }}

{name}.plain {{ background: ansi_black; color: ansi_white; }}
{name}.plain Static, {name}.plain Label {{ background: ansi_black; color: ansi_white; }}
{name}.plain Horizontal, {name}.plain VerticalScroll {{ background: ansi_black; }}
{name}.plain Input {{ background: ansi_black; color: ansi_white; text-style: underline; }}
{name}.plain Input > .input--placeholder {{ color: ansi_white; }}
{name}.plain Input:focus {{ background: ansi_white; color: ansi_black; text-style: none; }}
{name}.plain Input:focus > .input--cursor {{ background: ansi_blue; color: ansi_white; }}
{name}.plain Input:focus > .input--placeholder {{ color: ansi_black; }}
{name}.plain Button.-textual-compact {{
    background: ansi_black; color: ansi_white; text-style: none;
}}
{name}.plain Button.-textual-compact:focus {{
    background: ansi_blue; color: ansi_white; text-style: none; background-tint: #000000 0%;
}}
{name}.plain Button.-textual-compact:disabled {{ background: ansi_black; color: ansi_white; }}
{name}.plain DataTable {{ background: ansi_black; color: ansi_white; scrollbar-size: 0 0; }}
{name}.plain DataTable > .datatable--header {{
    background: ansi_black; color: ansi_white; text-style: underline;
}}
{name}.plain DataTable > .datatable--odd-row {{ background: ansi_black; }}
{name}.plain DataTable > .datatable--even-row {{ background: ansi_black; }}
{name}.plain DataTable > .datatable--cursor {{ background: ansi_black; color: ansi_white; }}
{name}.plain DataTable:focus > .datatable--cursor {{ background: ansi_white; color: ansi_black; }}
{name}.plain VerticalScroll {{ scrollbar-size-vertical: 0; }}
"""


def look(name: str) -> str:
    """The style sheet for the screen class of this name; `plain` is a class that it may have."""
    return _CSS.format(name=name)
