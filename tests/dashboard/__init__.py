"""The dashboard: real sockets and Textual's own headless terminal; engines are scripted."""
