import json

from hashzoo_emoji.index import read_index
from hashzoo_emoji.recipe import IMAGES, make_index, singular, text_words, words


def record(code: str, subgroup: str, order: int, tones: tuple[str, ...] = ()) -> dict:
    return {
        "unified": code.upper(),
        "image": f"{code}.png",
        "subcategory": subgroup,
        "sort_order": order,
        "skin_variations": {tone: {"image": f"{code}-{tone}.png"} for tone in tones},
    }


def test_a_made_up_pair_of_packages(tmp_path):
    pictures, texts = tmp_path / "pictures", tmp_path / "texts"
    (pictures / IMAGES).mkdir(parents=True)
    (texts / "en").mkdir(parents=True)
    records = [record(f"26{n:02d}-fe0f", "animal-bird", 20 - n, ("1f3fb",) if n == 3 else ()) for n in range(10)]
    records += [record("1f1e6", "country-flag", 99), record("1f9f0", "tool", 98)]
    for item in records:
        for variant in (item, *item["skin_variations"].values()):
            (pictures / IMAGES / variant["image"]).write_bytes(variant["image"].encode())
    (pictures / "emoji.json").write_text(json.dumps(records))
    described = [{"hexcode": f"26{n:02d}", "label": f"grey birds {n}", "tags": ["Wing", "a"]} for n in range(10)]
    (texts / "en" / "data.json").write_text(json.dumps(described))
    index = make_index(pictures, texts)
    assert len(index) == 11  # ten birds and one tone; the flag is left out, the tool is alone in its subgroup
    assert index[0].id == "2609-fe0f"  # by sort_order
    assert {item.words for item in index} == {("grey", "wing")}
    assert [item.base for item in index if item.id == "2603-fe0f-1f3fb"] == ["2603-fe0f"]


def test_words_of_labels_are_left_out():
    banned = frozenset({"face", "hand"})
    assert text_words({"label": "Faces with hand", "tags": ["smile", "X"]}, banned) == ("smile", "with")
    assert words("keycap: 10") == ["keycap"]
    assert singular("glasses") == "glasse"


def test_the_shipped_index():
    index = read_index()
    assert len(index) == len({item.id for item in index}) == 3067
    assert len({item.subgroup for item in index}) == 57
    banned = {singular(word) for item in index for word in words(item.subgroup)}
    assert not any(singular(word) in banned for item in index for word in item.words)
