"""The article follows the sound."""

import pytest

from core.articles import with_article


@pytest.mark.parametrize(
    "phrase",
    [
        *("a university", "a unicorn", "a european", "a one-way sign", "a utensil", "a ukulele", "a U-turn", "a house"),
        *("a honeybee", "a T-shirt", "an umbrella", "an urn", "an unidentified object", "an egg", "an onion"),
        *("an hour", "an honest man", "an X-ray", "an ATM sign", "scissors", "broccoli"),
    ],
)
def test_the_article_follows_the_sound(phrase):
    """Saw "an university" on one side of the house and "a umbrella" on the other."""
    noun = phrase.split(" ", 1)[1] if phrase.startswith(("a ", "an ")) else phrase
    assert with_article(noun) == phrase
