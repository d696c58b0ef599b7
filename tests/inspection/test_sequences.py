import time

from hypothesis import given
from hypothesis import strategies as st

from eventscope.inspection.sequences import MAX_EDITS, blocks

SEQUENCES = st.lists(st.sampled_from("abc"), max_size=12)


@given(SEQUENCES, SEQUENCES)
def test_blocks_hold_both_sequences_and_share_as_much_as_they_can(
    old: list[str], new: list[str]
) -> None:
    found = blocks(old, new)
    assert [item for block in found for item in old[block.old]] == old
    assert [item for block in found for item in new[block.new]] == new
    common = [block for block in found if block.is_common]
    assert all(old[block.old] == new[block.new] for block in common)
    assert sum(len(old[block.old]) for block in common) == longest_common(old, new)


def longest_common(old: list[str], new: list[str]) -> int:
    """The length of the longest common subsequence, from its definition."""
    row = [0] * (len(new) + 1)
    for left in old:
        above = row[:]
        for place, right in enumerate(new, 1):
            best = max(above[place], row[place - 1])
            row[place] = above[place - 1] + 1 if left == right else best
    return row[-1]


def test_sequences_that_have_too_little_in_common_are_not_gone_through() -> None:
    old = ["same", *"ab" * 20_000, "end"]
    new = ["same", *"ca" * 20_000, "end"]
    began = time.perf_counter()
    found = blocks(old, new)
    assert [block.is_common for block in found] == [True, False, True]
    assert time.perf_counter() - began < 5
    near = [*"x" * (MAX_EDITS // 2)]
    assert [block.is_common for block in blocks([*near, "m"], ["m", *near])][1] is True
