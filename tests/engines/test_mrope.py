"""Columns and positions, against answers worked out by hand and properties."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.engines import mrope
from pixtrim.errors import InputError


@st.composite
def prompts(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    rows, length = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    types = torch.tensor([[draw(st.integers(0, 2)) for _ in range(length)] for _ in range(rows)])
    pad = [draw(st.integers(0, length - 1)) for _ in range(rows)]
    mask = torch.tensor([[int(place >= first) for place in range(length)] for first in pad])
    keep = {
        name: torch.tensor(
            [draw(st.booleans()) for _ in range(int(((types == kind) & mask.bool()).sum()))], dtype=torch.bool
        )
        for name, kind in mrope.TYPES.items()
    }
    return types, mask, keep


@given(prompts(), st.sampled_from(["left", "right"]))
def test_text_stays_and_placeholders_go_one_by_one(
    prompt: tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]], side: str
) -> None:
    types, mask, keep = prompt
    columns = mrope.kept_columns(types, mask, keep)
    flags = {name: iter(values.tolist()) for name, values in keep.items()}
    expected = []
    numbered = torch.arange(types.numel()).view_as(types)
    for row in range(len(types)):
        stays = []
        for place in range(types.shape[1]):
            if not mask[row, place]:
                continue
            kind = int(types[row, place])
            if kind == 0 or next(flags["image" if kind == 1 else "video"]):
                stays.append(int(numbered[row, place]))
        expected.append(stays)
    found = mrope.drop_columns(
        {"n": numbered, "attention_mask": mask, "deep": numbered[None]}, columns, {"n": -7}, side
    )
    length = max(len(stays) for stays in expected)
    for row, stays in enumerate(expected):
        fill = [-7] * (length - len(stays))
        assert found["n"][row].tolist() == (fill + stays if side == "left" else stays + fill)
        assert found["deep"].shape == (1, len(types), length)
        assert int(found["attention_mask"][row].sum()) == len(stays)
    text = mrope.with_text_row(torch.zeros(3, *found["n"].shape), found["attention_mask"])[0]
    for row, stays in enumerate(expected):
        assert text[row][found["attention_mask"][row].bool()].tolist() == list(range(len(stays)))


def test_the_next_position_is_above_the_number_of_tokens_by_the_delta() -> None:
    positions = torch.tensor([[[0, 0, 1, 5, 6]], [[0, 0, 2, 5, 6]], [[0, 0, 4, 5, 6]]])
    mask = torch.tensor([[0, 1, 1, 1, 1]])
    assert mrope.rope_deltas(positions, mask).tolist() == [[3]]


@pytest.mark.parametrize(
    ("counts", "per_row", "rows"),
    [([], [0, 0], []), ([3], [3], [0]), ([3], [0, 0, 3], [2]), ([1, 2, 3], [3, 0, 3], [0, 0, 2])],
)
def test_pictures_belong_to_the_rows_that_hold_their_placeholders(
    counts: list[int], per_row: list[int], rows: list[int]
) -> None:
    assert mrope.runs(counts, per_row) == rows


def test_a_picture_over_two_rows_is_refused() -> None:
    with pytest.raises(InputError, match="a picture of 4 tokens has 2 placeholders in row 1"):
        mrope.runs([2, 4], [2, 2, 2])


def test_flags_must_fit_placeholders() -> None:
    types = torch.tensor([[0, 1, 1]])
    with pytest.raises(InputError, match="2 placeholders for images, whose pictures have 3"):
        mrope.kept_columns(types, torch.ones_like(types), {"image": torch.ones(3, dtype=torch.bool)})
