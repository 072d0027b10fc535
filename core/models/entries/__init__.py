"""The models that come listed, one entry each: `clip` (words and images in one space) and `classic` (images only)."""
