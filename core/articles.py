"""The English indefinite article, by sound: "a university", "an umbrella", "an hourglass"."""

from __future__ import annotations

import re

_NO_ARTICLE = {"skis", "scissors", "broccoli"}
# Spelled with a vowel, spoken with a consonant: university, user, ukulele, U-turn, euro, one-way sign.
_CONSONANT = re.compile(r"uni(?![dmn])|us?(?![a-z])|us[aeu]|ut[aei]|uk|ufo|ur[ai]|ubi|eu|ewe|onc?e\b", re.IGNORECASE)
# A silent h, or a letter that is read out: hourglass, X-ray.
_VOWEL = re.compile(r"[aeiou]|hour|heir|hono|hones|[fhlmnrsx](?![a-z])", re.IGNORECASE)


def with_article(noun: str) -> str:
    """`dog` → `a dog`, `egg` → `an egg`, `unicorn` → `a unicorn`; `scissors` stay `scissors`."""
    if noun in _NO_ARTICLE:
        return noun
    return f"{'an' if _VOWEL.match(noun) and not _CONSONANT.match(noun) else 'a'} {noun}"
