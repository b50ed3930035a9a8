"""Sans-IO protocol cores: bytes and values only. A protocol never touches a wire."""
