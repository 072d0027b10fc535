"""`core.vectorize.ensemble`: spans and joins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.types import Member, VectorTable
from core.vectorize.ensemble import join, member_vectors, row_lengths, spans, unit_rows


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8))
def test_spans_tile_the_vector(dims):
    columns = spans(dims)
    assert columns[0][0] == 0 and columns[-1][1] == sum(dims)
    assert [stop - start for start, stop in columns] == dims
    assert all(first[1] == second[0] for first, second in itertools.pairwise(columns))


def test_join_normalises_each_member_by_itself_and_leaves_zeros():
    first = np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)
    second = np.array([[2.0], [-5.0]], dtype=np.float32)
    np.testing.assert_array_equal(join([first, second], normalize=False), [[3, 4, 2], [0, 0, -5]])
    np.testing.assert_allclose(join([first, second], normalize=True), [[0.6, 0.8, 1], [0, 0, -1]], atol=1e-7)


def test_lengths_neither_overflow_nor_vanish():
    vectors = np.array([[3e30, 4e30], [3e-30, 4e-30]], dtype=np.float32)
    np.testing.assert_allclose(row_lengths(vectors), [5e30, 5e-30], rtol=1e-6)
    np.testing.assert_allclose(unit_rows(vectors), [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)


def test_a_members_columns_by_name():
    members = (Member("a", 0, 2, 0, "cpu", "fp32", 1), Member("b", 2, 3, 0, "cpu", "fp32", 1))
    table = VectorTable(("x",), np.array([[1, 2, 3]], np.float32), members, {})
    np.testing.assert_array_equal(member_vectors(table, "b"), [[3]])
    with pytest.raises(InputError, match="not among") as caught:
        member_vectors(table, "c")
    assert "a, b" in str(caught.value)
