"""Every family: the engine's inputs give what the stock model gives, and lack what the plans leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pictures import ask, clip, page, stock, without_cache
from tiny import FAMILIES, make_model, make_processor

from pixtrim.engines.families import FAMILIES as KNOWN
from pixtrim.engines.families import family_of
from pixtrim.engines.pixels import layout_of, strips
from pixtrim.engines.transformers import TransformersPruner
from pixtrim.engines.transformers.encoder import Geometry, base_of, encode
from pixtrim.engines.transformers.prompt import read_prompt
from pixtrim.errors import UsageError

ALL = sorted(FAMILIES)
WITH_CLIPS = [name for name in ALL if FAMILIES[name].video]


def test_every_family_is_tested() -> None:
    assert set(FAMILIES) == set(KNOWN)


def test_unknown_families_are_refused_with_what_is_known() -> None:
    with pytest.raises(UsageError, match=r"model_type is 'gpt2'.*qwen3_vl.*pictures"):
        family_of("gpt2")
    with pytest.raises(UsageError, match="LLaVA scales every picture to one square"):
        family_of("llava")


@pytest.mark.parametrize("family", ALL)
def test_keep_all_equals_the_stock_model(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    messages = [ask(page(), text="one"), ask(page(280, 336, 1), page(112, 168, 2), text="and of these two?")]
    given = stock(processor, messages)
    engine = TransformersPruner(model, processor, selector="keep_everything")
    with torch.no_grad():
        expected = model(**given).logits
        for source in (messages, given):
            assert torch.equal(model(**engine(source)).logits, expected)
    assert engine.last is not None
    assert engine.last.kept == engine.last.tokens
    said = model.generate(**given, max_new_tokens=6, do_sample=False)
    assert torch.equal(model.generate(**engine(messages), max_new_tokens=6, do_sample=False), said)


@pytest.mark.parametrize("family", WITH_CLIPS)
def test_keep_all_of_a_clip_equals_the_stock_model(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    video, text = FAMILIES[family].video, "what moves?"
    given = processor(text=f"{video}{text}", videos=[clip()], return_tensors="pt")
    engine = TransformersPruner(model, processor, selector="keep_everything")
    with torch.no_grad():
        expected = model(**given).logits
        assert torch.equal(model(**engine(f"{video}{text}", videos=[clip()])).logits, expected)
        assert torch.equal(model(**engine(given)).logits, expected)


@pytest.mark.parametrize("family", ALL)
def test_pruned_generation_equals_a_run_without_cache(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    engine = TransformersPruner(model, processor)
    messages = ask(page(), page(280, 168, 1))
    said = model.generate(**engine(messages), max_new_tokens=6, do_sample=False)
    assert engine.last is not None
    assert 0 < engine.last.kept < engine.last.tokens
    assert torch.equal(said[:, -6:], without_cache(model, lambda: engine(messages), 6))


@pytest.mark.parametrize("family", ALL)
def test_a_batch_equals_its_rows(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    engine = TransformersPruner(model, processor)
    rows = [
        ask(page(), text="short"),
        ask(page(280, 336, 1), page(112, 168, 2), text="a longer question"),
        ask(text="none"),
    ]
    inputs = engine(rows)
    assert inputs["attention_mask"].sum(1).tolist() == list(engine.last.kept_prompt_tokens)  # type: ignore[union-attr]
    with torch.no_grad():
        together = model(**inputs).logits[:, -1]
        alone = torch.cat([model(**engine(row)).logits[:, -1] for row in rows])
    assert torch.allclose(together, alone, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ALL)
def test_what_reaches_encoder_and_language_model_is_what_the_plans_keep(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    engine = TransformersPruner(model, processor)
    base = base_of(model)
    seen: dict[str, int] = {}
    part = base.visual if hasattr(base.visual, "patch_embed") else base.visual.vision_model.embeddings
    name = "patch_embed" if hasattr(base.visual, "patch_embed") else "patch_embedding"
    hooks = [
        getattr(part, name).register_forward_hook(lambda _m, args, _o: seen.__setitem__("patches", len(args[0]))),
        base.language_model.register_forward_hook(
            lambda _m, _a, kwargs, _o: seen.__setitem__("columns", kwargs["inputs_embeds"].shape[1]), with_kwargs=True
        ),
    ]
    try:
        with torch.no_grad():
            model(**engine(ask(page(), page(280, 168, 1))))
    finally:
        for hook in hooks:
            hook.remove()
    assert engine.last is not None
    kept = sum(plan.kept for plan in engine.last.plans)
    merge = engine.last.pictures[0].grid.spatial_merge_size
    assert seen == {"patches": kept * merge**2, "columns": engine.last.kept_prompt_tokens[0]}
    assert engine.last.prompt_tokens[0] - engine.last.kept_prompt_tokens[0] == engine.last.tokens - kept


@pytest.mark.parametrize("family", ALL)
def test_kept_tokens_are_encoded_as_by_a_full_run_in_which_they_see_one_another_only(family: str) -> None:
    """The full run has all patches of the picture; kept ones and dropped ones are two segments of attention."""
    model, processor = make_model(family), make_processor(family)
    base, geometry = base_of(model), Geometry.of(model)
    picture = read_prompt(processor, geometry.family, ask(page(280, 224))).pictures[0]
    grid = picture.grid
    keep = np.random.default_rng(3).random((grid.grid_h, grid.grid_w)) < 0.4
    tokens = grid.view_tokens(picture.frames[0])
    part = processor.image_processor
    values = strips([tokens[keep]], [layout_of(grid, keep)], part)
    with torch.no_grad():
        pruned = encode(base, geometry, "image", values, [grid], [keep]).pooler_output[0]
        both = [keep, ~keep]
        values = strips([tokens[one] for one in both], [layout_of(grid, one) for one in both], part)
        full = encode(base, geometry, "image", values, [grid, grid], both).pooler_output[0]
        every, layout = np.ones_like(keep), [(grid.grid_h, grid.grid_w)]
        values = strips([tokens[every]], layout, part)
        whole = encode(base, geometry, "image", values, [grid], [every])
    assert torch.allclose(pruned, full, atol=1e-4)
    assert not torch.allclose(pruned, whole.pooler_output[0][torch.from_numpy(keep.ravel())], atol=1e-2)


@pytest.mark.parametrize("family", ALL)
def test_positions_behind_a_picture_are_those_of_the_full_prompt(family: str) -> None:
    """Also where its last rows and columns, which its size is told by, are dropped."""
    model, processor = make_model(family), make_processor(family)
    pixels = np.full((280, 336, 3), 255, np.uint8)
    pixels[:60, :60] = np.random.default_rng(0).integers(0, 256, (60, 60, 3))
    given = stock(processor, ask(pixels, text="where?"))
    names = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
    full, deltas = base_of(model).get_rope_index(**{name: given[name] for name in names})
    engine = TransformersPruner(model, processor)
    inputs = engine(given)
    keep = engine.last.pictures[0].keep  # type: ignore[union-attr]
    assert not keep[-1].any()
    assert not keep[:, -1].any()
    stays = torch.ones(given["input_ids"].shape[1], dtype=torch.bool)
    stays[(given["mm_token_type_ids"][0] == 1)] = torch.from_numpy(keep.ravel())
    assert torch.equal(inputs["position_ids"][1:], full[..., stays])
    assert torch.equal(inputs["position_ids"][0, 0], torch.arange(int(stays.sum())))
    assert torch.equal(inputs["input_ids"], given["input_ids"][:, stays])
    assert base_of(model).rope_deltas.item() == deltas.item() + int((~stays).sum())


@pytest.mark.parametrize("family", WITH_CLIPS)
def test_frames_are_predicted_from_those_before(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    engine = TransformersPruner(model, processor)
    prompt = f"{FAMILIES[family].video}what moves?"
    said = model.generate(**engine(prompt, videos=[clip()]), max_new_tokens=6, do_sample=False)
    assert engine.last is not None
    chosen = engine.last.pictures[0]
    per_slot = chosen.keep.reshape(chosen.keep.shape[0], -1).sum(1)
    assert len(per_slot) == chosen.grid.grid_thw[0] > 1
    assert (per_slot >= 1).all()
    assert any(not plan.key for plan in chosen.plans)
    assert torch.equal(said[:, -6:], without_cache(model, lambda: engine(prompt, videos=[clip()]), 6))


@pytest.mark.parametrize("family", [name for name in ALL if KNOWN[name].windows])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_windows_hold_the_kept_tokens_that_lie_in_them(family: str, share: float) -> None:
    from pixtrim.grid import PatchGrid

    geometry = Geometry.of(make_model(family))
    grids = [PatchGrid.from_thw((1, 18, 22), patch_size=14), PatchGrid.from_thw((2, 10, 12), patch_size=14, video=True)]
    rng = np.random.default_rng(5)
    keeps = [rng.random(s) < share for s in ((9, 11), (2, 5, 6))]
    for keep in keeps:
        keep[..., 0, 0] = True
    found: dict[str, Any] = geometry.arguments(grids, keeps)
    side, merge = geometry.window_size // geometry.patch_size // geometry.merge, geometry.merge
    places, number = [], 0
    for picture, keep in enumerate(keeps):
        for place in np.argwhere(keep.reshape(-1, *keep.shape[-2:])):
            slot, row, column = (int(v) for v in place)
            places.append(((picture, slot, row // side, column // side), number))
            number += 1
    expected = sorted(places)
    assert found["window_index"].tolist() == [token for _, token in expected]
    bounds = [0, *(n + 1 for n in range(number - 1) if expected[n][0] != expected[n + 1][0]), number]
    assert found["cu_window_seqlens"].tolist() == [bound * merge**2 for bound in bounds]
