"""What tabs are made of."""

from webapp.kit import words as words
