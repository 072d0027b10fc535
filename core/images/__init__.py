"""From files, archives, bytes and arrays to upright RGB: `sources` and `archive` find images, `decode` reads one."""
