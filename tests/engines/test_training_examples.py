"""What is learned of an example: answers, found in real prompts, whatever the template and wherever pictures stand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pictures import clip, page
from PIL import Image
from tiny import TEMPLATE, make_model, make_processor

from pixtrim.engines.transformers import PruningCollator
from pixtrim.errors import InputError, UsageError

PICTURE = Image.fromarray(page(168, 168))
MARKS = ("<|im_start|>assistant\n", "<|im_end|>")


def collator(processor: Any = None, **settings: Any) -> PruningCollator:
    return PruningCollator(make_model("qwen3_vl"), processor or make_processor("qwen3_vl"), **settings)


def with_generation_tags() -> Any:
    """A processor whose template marks what the assistant says."""
    processor = make_processor("qwen3_vl")
    head, rest = TEMPLATE.split("<|im_start|>{{ message.role }}\n")
    body = rest.partition("<|im_end|>\n{% endfor %}{% if add")[0]
    body = body.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>").replace("VIDEO", "")
    processor.chat_template = (
        head + "<|im_start|>{{ message.role }}\n{% if message.role == 'assistant' %}{% generation %}"
        f"{body}<|im_end|>{{% endgeneration %}}{{% else %}}{body}<|im_end|>{{% endif %}}\n{{% endfor %}}"
    )
    return processor


def user(*content: str | Image.Image) -> dict[str, Any]:
    parts = [{"type": "text", "text": c} if isinstance(c, str) else {"type": "image", "image": c} for c in content]
    return {"role": "user", "content": parts}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def learned(batch: dict[str, Any], processor: Any, before: str = MARKS[0]) -> list[list[str]]:
    """The runs of labels of each row, as text; every label is the id at its place, and stands behind `before`."""
    decode = processor.tokenizer.decode
    labels, ids = batch["labels"], batch["input_ids"]
    assert torch.equal(labels[labels != -100], ids[labels != -100])
    rows = []
    for row, flags in zip(ids, labels != -100, strict=True):
        bounds = (flags.diff(prepend=flags.new_zeros(1), append=flags.new_zeros(1))).nonzero().flatten().tolist()
        pairs = list(zip(bounds[::2], bounds[1::2], strict=True))
        assert all(decode(row[:start]).endswith(before) for start, _ in pairs)
        rows.append([decode(row[start:stop]) for start, stop in pairs])
    return rows


CONVERSATIONS = {
    "one picture": ([user(PICTURE, "what?"), assistant("a page")], ["a page<|im_end|>"]),
    "no picture": ([user("what?"), assistant("nothing")], ["nothing<|im_end|>"]),
    "several turns, and pictures between them": (
        [
            {"role": "system", "content": [{"type": "text", "text": "be short"}]},
            user(PICTURE, "what?"),
            assistant("a page"),
            user("and ", PICTURE, "that", PICTURE),
            assistant("a page"),
            user("sure?"),
            assistant("yes"),
        ],
        ["a page<|im_end|>", "a page<|im_end|>", "yes<|im_end|>"],
    ),
    "a question that quotes the answer": (
        [
            user("is it 'a page'? ", PICTURE, " a page"),
            assistant("a page"),
            user(PICTURE, "a page"),
            assistant("a page"),
        ],
        ["a page<|im_end|>", "a page<|im_end|>"],
    ),
    "a user who says the same": (
        [user(PICTURE, "what?"), assistant("a page"), user("a page"), user(PICTURE, "sure?"), assistant("yes")],
        ["a page<|im_end|>", "yes<|im_end|>"],
    ),
    "a picture after the last answer": (
        [user(PICTURE, "what?"), assistant("a page"), user(PICTURE, "and this?")],
        ["a page<|im_end|>"],
    ),
}


@pytest.mark.parametrize("way", ["differences", "marks", "template"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_answers_and_nothing_else_are_learned(name: str, way: str) -> None:
    messages, answers = CONVERSATIONS[name]
    processor = with_generation_tags() if way == "template" else make_processor("qwen3_vl")
    batch = collator(processor, answers=MARKS if way == "marks" else None)([{"messages": messages}])
    assert learned(batch, processor) == [answers]


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_of_a_batch_are_padded_on_either_side(side: str) -> None:
    processor = make_processor("qwen3_vl")
    processor.tokenizer.padding_side = side
    conversations = [messages for messages, _ in CONVERSATIONS.values()]
    batch = collator(processor)([{"messages": messages} for messages in conversations])
    assert learned(batch, processor) == [answers for _, answers in CONVERSATIONS.values()]
    assert (batch["labels"][batch["attention_mask"] == 0] == -100).all()
    assert (batch["labels"][batch["input_ids"] == make_model("qwen3_vl").config.image_token_id] == -100).all()


def test_a_template_that_rewrites_answers_needs_marks() -> None:
    """As those do that leave out the thoughts of all answers but the last."""
    processor = make_processor("qwen3_vl")
    processor.chat_template = processor.chat_template.replace(
        "<|im_start|>{{ message.role }}\n",
        "<|im_start|>{{ message.role }}\n{% if message.role == 'assistant' and loop.last %}<think>{% endif %}",
    )
    messages = CONVERSATIONS["several turns, and pictures between them"][0]
    with pytest.raises(
        UsageError, match="writes answer 1 of a conversation unlike it asks for it: say what stands around"
    ):
        collator(processor)([{"messages": messages}])
    batch = collator(processor, answers=MARKS)([{"messages": messages}])
    assert learned(batch, processor) == [["a page<|im_end|>", "a page<|im_end|>", "<think>yes<|im_end|>"]]


def test_conversations_without_answers_are_refused() -> None:
    for settings in ({}, {"answers": ("<|nobody|>", "<|im_end|>")}):
        with pytest.raises(InputError, match="an example has no answer to learn: give messages of the role assistant"):
            collator(**settings)([{"messages": [user(PICTURE, "what?")]}])


def test_pictures_may_be_beside_the_messages() -> None:
    """In parts that hold none, with the keys of others as tables have them, or at the start of the user's text."""
    hole = {"type": "image", "image": None, "text": None}
    text = {"type": "text", "image": None, "text": "what?"}
    reply = {"role": "assistant", "content": "a page"}
    make, expected = collator(), collator()([{"messages": [user(PICTURE, "what?"), assistant("a page")]}])
    for example in (
        {"messages": [{"role": "user", "content": [hole, text]}, reply], "images": [PICTURE]},
        {"messages": [{"role": "user", "content": "what?"}, reply], "images": [PICTURE]},
        {"messages": [{"role": "user", "content": "what?"}, reply], "image": PICTURE},
    ):
        found = make([example])
        assert found.keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in found.items())


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pictures_and_places_must_be_as_many(count: int) -> None:
    hole = {"type": "image"}
    messages = [{"role": "user", "content": [hole, hole]}, assistant("a page")]
    with pytest.raises(InputError, match=f"an example has {count} images, and 2 places"):
        collator()([{"messages": messages, "images": [PICTURE] * count}])


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen3_vl"])
def test_answers_are_found_among_clips_and_pictures(family: str) -> None:
    """Qwen3-VL's processor writes times between the frames of a clip, which the text of the template does not have."""
    model, processor = make_model(family), make_processor(family)
    messages = [
        {"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "what?"}, {"type": "image"}]},
        assistant("it moves"),
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "sure?"}]},
        assistant("yes"),
    ]
    example = {"messages": messages, "videos": [clip()], "images": [PICTURE, PICTURE]}
    batch = PruningCollator(model, processor)([example])
    assert learned(batch, processor) == [["it moves<|im_end|>", "yes<|im_end|>"]]
    assert math.isfinite(model(**batch).loss.detach())


def test_examples_are_not_changed() -> None:
    hole, pictures = {"type": "image"}, [PICTURE]
    example = {"messages": [{"role": "user", "content": [hole]}, assistant("a page")], "images": pictures}
    collator()([example, example])
    assert (hole, pictures) == ({"type": "image"}, [PICTURE])


@pytest.mark.parametrize("lists", [False, True])
def test_processed_examples_make_the_same_batch_as_messages(lists: bool) -> None:
    """Each with a batch of one, as processors return it, or as lists, as tables hold it."""
    processor = make_processor("qwen3_vl")
    processor.tokenizer.padding_side = "right"
    conversations = [messages for messages, _ in CONVERSATIONS.values()]
    make = collator(processor)
    expected = make([{"messages": messages} for messages in conversations])
    examples = []
    for messages in conversations:
        found = dict(processor.apply_chat_template(messages, tokenize=True, return_dict=True, return_tensors="pt"))
        found["labels"] = collator(processor, selector="keep_everything")([{"messages": messages}])["labels"]
        if lists:
            found = {n: (v if n in ("pixel_values", "image_grid_thw") else v[0]).tolist() for n, v in found.items()}
        examples.append(found)
    batch = make(examples)
    assert batch.keys() == expected.keys()
    for name, value in batch.items():
        assert torch.equal(value, expected[name]), name


def test_placeholders_that_are_labelled_are_not_learned() -> None:
    processor = make_processor("qwen3_vl")
    given = dict(
        processor(text="<|vision_start|><|image_pad|><|vision_end|>page", images=[PICTURE], return_tensors="pt")
    )
    batch = collator(processor)([{**given, "labels": given["input_ids"]}])
    assert learned(batch, processor, before="") == [["<|vision_start|>", "<|vision_end|>page"]]


def test_examples_that_say_nothing_are_refused() -> None:
    processed = dict(make_processor("qwen3_vl")(text="page", return_tensors="pt"))
    with pytest.raises(UsageError, match=r"an example has no fields: .*remove_unused_columns=False"):
        collator()([{}])
    with pytest.raises(UsageError, match=r"a processed example has input_ids, .*: it needs labels"):
        collator()([processed])
    with pytest.raises(UsageError, match="examples of 2 kinds, input_ids, messages"):
        collator()([processed, {"messages": []}])


def test_examples_longer_than_allowed_are_refused() -> None:
    example = {"messages": CONVERSATIONS["one picture"][0]}
    length = collator()([example])["input_ids"].shape[1]
    collator(max_length=length)([example])
    with pytest.raises(InputError, match=f"an example has {length} tokens .* max_length is {length - 1}: raise that"):
        collator(max_length=length - 1)([example])
