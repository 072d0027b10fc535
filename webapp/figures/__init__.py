"""Results → charts, tables and fragments of HTML. Pure functions; nothing here knows the page or keeps state."""
