"""One file a format of vector tables: `write(table, place)` and `read(path)`. `stored` is what they all carry."""
