"""Model cards are read strictly, and every refusal names the key."""

import json
import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.errors import CardError
from terraspore.engine.models.card import MAX_CARD_BYTES, card_text, parse_card, read_card, write_card


def test_a_card_comes_back_as_it_was_written(tmp_path, card):
    write_card(tmp_path / "card.json", card)
    assert read_card(tmp_path / "card.json") == card


@pytest.mark.parametrize("key", ["name", "architecture", "bands", "sha256", "std", "scale", "id", "colour"])
def test_a_missing_key_is_named(card, key):
    document = json.loads(card_text(card))
    for holder in (document, document["normalisation"], document["classes"][0]):
        holder.pop(key, None)
    with pytest.raises(CardError, match=f"{key} is missing"):
        parse_card(json.dumps(document), "here")


@pytest.mark.parametrize("place", [(), ("normalisation",), ("classes", 1)])
def test_an_unknown_key_is_named(card, place):
    document = json.loads(card_text(card))
    holder = document
    for step in place:
        holder = holder[step]
    holder["colur"] = 1
    with pytest.raises(CardError, match="colur is not a known key"):
        parse_card(json.dumps(document), "here")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, "format is 2"),
        ("name", "../up", "name is"),
        ("task", "cars", "task is 'cars'"),
        ("bands", True, "bands is True, but must be a whole number from 1 to 512"),
        ("bands", 10**400, "bands is a number of many digits"),
        ("resolution", 0, "resolution is 0"),
        ("resolution", 10**400, "resolution is a number of many digits"),
        ("resolution", "1", "resolution is '1', but must be a number from 0.001 to 100000"),
        ("stretch", 1, "stretch is 1, but must be true or false"),
        ("threshold", 1.01, "threshold is 1.01"),
        ("classes", [], "classes has 0 entries"),
        ("classes", [3], r"classes\[0\] is 3, but must be a table of keys"),
        ("normalisation", {"scale": 1, "mean": [0], "std": [1, 1, 1]}, "normalisation.mean has 1 entries"),
        ("normalisation", {"scale": 1, "mean": [0, 0, 0], "std": [1, 0, 1]}, r"normalisation.std\[1\] is 0.0"),
        ("weights", "a/b.ckpt", "not the name of a file"),
        ("weights", "..", "not the name of a file"),
        ("sha256", "XY", "sha256 is 'XY'"),
        ("metrics", {"iou": "high"}, "metrics.iou is 'high', but must be a number"),
        ("metrics", {"\ud800": 1.0}, r"metrics is '\\ud800', but must be a text without half characters"),
        ("title", "half of \udc00", r"title is 'half of \\udc00', but must be a text without half characters"),
        ("options", {"deep": []}, r"options.deep is \[\], but must be a text"),
        ("tile", 33, "no multiple of 2"),
        ("overlap", 16, "not less than half"),
        ("dtype", "uint16", "a stretched image is uint8"),
        ("task", "roads", "a road model has one"),
    ],
)
def test_a_wrong_value_is_named(card, key, value, message):
    document = json.loads(card_text(card))
    document[key] = value
    with pytest.raises(CardError, match=message):
        parse_card(json.dumps(document), "here")


def test_two_classes_cannot_share_an_id(card):
    twice = replace(card, classes=(card.classes[0], replace(card.classes[1], id=0)))
    with pytest.raises(CardError, match="same id twice"):
        card_text(twice)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": NaN}', '{"name": 1, "name": 2}', "[" * 100_000, "1" * 5000])
def test_what_is_no_card_is_refused(text):
    with pytest.raises(CardError):
        parse_card(text, "here")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_fifo_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "card.json")
    with pytest.raises(CardError, match="not a regular file"):
        read_card(tmp_path / "card.json")


def test_missing_large_and_binary_files_are_refused(tmp_path):
    path = tmp_path / "card.json"
    with pytest.raises(CardError, match="no file"):
        read_card(path)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(CardError, match="UTF-8"):
        read_card(path)
    path.write_bytes(b" " * (MAX_CARD_BYTES + 1))
    with pytest.raises(CardError, match="at most"):
        read_card(path)


@settings(max_examples=200)
@given(data=st.data())
def test_any_damage_is_an_error_with_a_sentence(card, data):
    text = card_text(card)
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(1, 20)) :]
    try:
        parse_card(damaged, "here")
    except CardError as error:
        sentence = error.text
    else:
        return
    assert sentence.startswith("The model card here")
    assert sentence.endswith(".")
