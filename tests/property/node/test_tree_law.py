"""The tree against a plain list of leaves, under any order of appending, settling and reopening."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from security import merkle
from tests.support.leaf_trees import open_tree

STEPS = st.lists(
    st.one_of(
        st.integers(1, 40),
        st.sampled_from([255, 256, 257, 512]),
        st.just("settle"),
        st.just("reopen"),
    ),
    max_size=12,
)


@given(steps=STEPS, data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_tree_is_that_of_the_list(steps: list[int | str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        held = open_tree(Path(name))
        leaves: list[bytes] = []
        for step in steps:
            if isinstance(step, int):
                leaves += held.append(step)
            elif step == "settle":
                held.tree.settle()
            else:
                held.connection.close()
                held = open_tree(Path(name))
            assert held.tree.size == len(leaves)
        assert held.tree.root() == merkle.root(leaves)
        size = data.draw(st.integers(0, len(leaves)))
        assert held.tree.root(size) == merkle.root(leaves[:size])
        assert held.tree.consistency(size) == merkle.consistency_path(leaves, size)
        held.connection.close()
