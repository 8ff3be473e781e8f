"""How much attention tokens are paid, against what the stock encoder's own gradients say."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from pictures import ask, clip, page
from tiny import FAMILIES, make_model, make_processor

from pixtrim.engines.transformers import PruneConfig, TransformersPruner
from pixtrim.engines.transformers.after import HiPrune
from pixtrim.engines.transformers.after import attention as module
from pixtrim.engines.transformers.after.attention import blocks_of, column_sums, received_attention
from pixtrim.engines.transformers.choice import choose
from pixtrim.engines.transformers.encoder import Geometry, base_of, encode
from pixtrim.engines.transformers.kept import kept_patches
from pixtrim.engines.transformers.prompt import read_prompt
from pixtrim.errors import UsageError

ALL = sorted(FAMILIES)
WITH_CLIPS = [name for name in ALL if FAMILIES[name].video]


def pictures() -> Any:
    """One picture that is kept as a whole, and one of which some tokens are dropped."""
    return ask(np.random.default_rng(4).integers(0, 256, (112, 140, 3), np.uint8), page(224, 168, 1))


def call_of(family: str, model: Any, source: Any, videos: Any = None) -> tuple[Any, ...]:
    """The arguments of `encode` for a prompt."""
    processor, geometry = make_processor(family), Geometry.of(model)
    prompt = read_prompt(processor, geometry.family, source, videos=videos)
    chosen = choose(prompt, PruneConfig())
    values = kept_patches(prompt.pictures, chosen, processor)
    grids, keeps = [found.grid for found in chosen], [found.keep for found in chosen]
    assert [keep.all() for keep in keeps] == ([True, False] if videos is None else [False])
    return base_of(model), geometry, chosen[0].modality, values, grids, keeps


def by_gradient(call: tuple[Any, ...], layer: int) -> list[torch.Tensor]:
    """What tokens are paid: the gradient of the sum of a layer's outputs, before they are projected, in its values.

    Where a patch lies in the picture is read off the rotary positions that the layer is given.
    """
    base, geometry, _, _, grids, keeps = call
    attention = next(part for part in blocks_of(base.visual)[layer].modules() if hasattr(part, "num_heads"))
    projection = attention.proj if hasattr(attention, "proj") else attention.out_proj
    seen: dict[str, Any] = {}
    hooks = [
        getattr(attention, "qkv" if hasattr(attention, "qkv") else "v_proj").register_forward_hook(
            lambda _m, _a, output: seen.__setitem__("values", output)
        ),
        projection.register_forward_pre_hook(lambda _m, args: seen.__setitem__("attended", args[0])),
        attention.register_forward_pre_hook(lambda _m, _a, kwargs: seen.update(kwargs), with_kwargs=True),
    ]
    try:
        encode(*call)
    finally:
        for hook in hooks:
            hook.remove()
    gradient = torch.autograd.grad(seen["attended"].sum(), seen["values"])[0]
    width = seen["attended"].shape[-1]
    paid = gradient.reshape(len(gradient), -1)[:, -width:].mean(1)
    cos, sin = seen["position_embeddings"]
    axis = cos.shape[-1] // 4  # rows, columns, and both once more
    step = 10000.0 ** (-2 / axis)  # of the third frequency, whose angle stays below half a turn
    rows, columns = (
        (torch.atan2(sin[:, at], cos[:, at]) / step).round().long() // geometry.merge for at in (2, axis + 2)
    )
    found, bounds = [], seen["cu_seqlens"].tolist()
    segments = pairwise(bounds)
    for grid, keep in zip(grids, keeps, strict=True):
        total = torch.zeros(grid.grid_thw[0], grid.grid_h, grid.grid_w)
        for slot in total:
            start, stop = next(segments)
            slot.index_put_((rows[start:stop], columns[start:stop]), paid[start:stop], accumulate=True)
        found.append(total[torch.from_numpy(keep.reshape(total.shape))] / geometry.merge**2)
    return found


def recorded(call: tuple[Any, ...], layers: tuple[int, ...]) -> list[tuple[torch.Tensor, ...]]:
    with torch.no_grad(), received_attention(call[0].visual, layers) as received:
        encode(*call)
    return received.by_picture(call[1], call[4], call[5])


@pytest.mark.parametrize(
    ("family", "implementation"),
    [*((name, "sdpa") for name in ALL), ("qwen2_5_vl", "eager"), ("paddleocr_vl", "eager")],
)
def test_tokens_of_pictures_are_paid_what_the_gradient_says(family: str, implementation: str) -> None:
    model = make_model(family)
    visual = base_of(model).visual
    before = visual.config._attn_implementation
    call = call_of(family, model, pictures())
    try:
        visual.set_attn_implementation(implementation)
        found, expected = recorded(call, (1,)), by_gradient(call, 1)
    finally:
        visual.set_attn_implementation(before)
    assert [len(scores) for (scores,) in found] == [int(keep.sum()) for keep in call[5]]
    for (scores,), wanted in zip(found, expected, strict=True):
        assert scores.std() > 0.01
        assert torch.allclose(scores, wanted, rtol=1e-3, atol=1e-4)
        assert scores.mean().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("family", WITH_CLIPS)
def test_tokens_of_clips_are_paid_by_their_own_slot(family: str) -> None:
    model = make_model(family)
    call = call_of(family, model, f"{FAMILIES[family].video}what?", [clip(size=140)])
    ((scores,),), (expected,) = recorded(call, (1,)), by_gradient(call, 1)
    assert torch.allclose(scores, expected, rtol=1e-3, atol=1e-4)
    counts = [int(slot.sum()) for slot in call[5][0]]
    assert len(counts) > 1
    for slot in scores.split(counts):
        assert slot.mean().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_layers_that_see_windows_give_way_to_the_nearest_that_sees_all(family: str) -> None:
    model = make_model(family)
    call = call_of(family, model, pictures())
    for first, last in recorded(call, (0, 1)):
        assert torch.equal(first, last) == (family == "qwen2_5_vl")


def test_the_nearest_layer_is_the_earlier_of_two() -> None:
    assert [module._nearest(layer, [7, 15, 23, 31]) for layer in (0, 11, 12, 16, 31)] == [7, 7, 15, 15, 31]
    assert module._nearest(5, None) == 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sums_are_those_of_the_whole_matrix_however_few_rows_are_held(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 3, 50, 8, dtype=dtype).unbind(0)
    weights = (query[0].double() @ key[0].double().mT * 0.7).softmax(-1)
    expected = weights.sum(1).mean(0).float()
    close = {"rtol": 1e-4} if dtype == torch.float32 else {"rtol": 0.03}
    for at_once in (2**24, 3 * 50 * 7, 1):
        monkeypatch.setattr(module, "AT_ONCE", at_once)
        assert torch.allclose(column_sums(query, key, 0.7), expected, **close)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["qwen2_5_vl", "paddleocr_vl"])
def test_the_encoder_returns_the_same_and_is_left_as_it_was(family: str, implementation: str) -> None:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    model = make_model(family)
    visual = base_of(model).visual
    call = call_of(family, model, pictures())
    before, names = visual.config._attn_implementation, set(ALL_ATTENTION_FUNCTIONS)
    try:
        visual.set_attn_implementation(implementation)
        with torch.no_grad():
            plain = encode(*call).pooler_output[0]
            with received_attention(visual, (0, 1)):
                watched = encode(*call).pooler_output[0]
            after = encode(*call).pooler_output[0]
        assert visual.config._attn_implementation == implementation
    finally:
        visual.set_attn_implementation(before)
    assert torch.equal(plain, watched)
    assert torch.equal(plain, after)
    assert set(ALL_ATTENTION_FUNCTIONS) == names


def test_the_encoder_is_left_as_it_was_after_an_error() -> None:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    visual = base_of(make_model("qwen3_vl")).visual
    before, names = visual.config._attn_implementation, set(ALL_ATTENTION_FUNCTIONS)
    with pytest.raises(ZeroDivisionError), received_attention(visual, (0,)):
        raise ZeroDivisionError
    assert visual.config._attn_implementation == before
    assert set(ALL_ATTENTION_FUNCTIONS) == names


def test_flash_attention_is_refused_with_the_remedy() -> None:
    model = make_model("qwen3_vl")
    config = base_of(model).visual.config
    engine = TransformersPruner(model, make_processor("qwen3_vl"), after=HiPrune(0.5))
    before = config._attn_implementation
    try:
        config._attn_implementation = "flash_attention_2"
        with pytest.raises(UsageError, match=r'flash_attention_2.*visual\.set_attn_implementation\("sdpa"\)'):
            engine(ask(page()))
        assert config._attn_implementation == "flash_attention_2"
    finally:
        config._attn_implementation = before
