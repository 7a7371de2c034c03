import io

from hashzoo_openclipart.index import read_index
from hashzoo_openclipart.recipe import Described, described, label_names, make_index, singular, text_words, words
from PIL import Image

SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:cc="http://web.resource.org/cc/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><metadata><rdf:RDF>
 <cc:Work><dc:title>{title}</dc:title><dc:description>{description}</dc:description>
 <dc:creator><cc:Agent><dc:title>Somebody</dc:title></cc:Agent></dc:creator>
 <dc:subject><rdf:Bag><rdf:li></rdf:li><rdf:li> {keyword} </rdf:li></rdf:Bag></dc:subject></cc:Work>
 </rdf:RDF></metadata></svg>"""


def test_described():
    svg = SVG.format(title="Red frog", description="of a pond", keyword="Animal").encode()
    assert described(svg) == Described(frozenset({"animal"}), "Red frog", "of a pond")


def test_labels_need_thirty_pictures():
    items = {str(n): Described(frozenset({"animal", "icon", *(["frog"] if n < 29 else [])}), "", "") for n in range(30)}
    assert label_names(items) == ["animal"]  # frog has 29; icon says how it was made


def test_text_words():
    item = Described(frozenset(), "Clipart by Nicu Buculei - Two frogs", "with animals at http://pond.org, me@pond.org")
    assert text_words(item, ["animal", "north_america"]) == ("frogs", "two")
    assert words("North-east") == ["north", "east"]
    assert singular("glass") == "glass"


def test_a_made_up_pair_of_packages(tmp_path):
    for n in range(31):
        for kind in ("png", "svg"):
            (tmp_path / kind / "food").mkdir(parents=True, exist_ok=True)
        title = "ripe" if n < 30 else "green"
        (tmp_path / f"svg/food/{n:02d}.svg").write_text(SVG.format(title=title, description="", keyword="Food"))
        out = io.BytesIO()
        Image.new("RGB", (8, 8), (min(n, 29), 0, 0)).save(out, "PNG", compress_level=n % 2)
        (tmp_path / f"png/food/{n:02d}.png").write_bytes(out.getvalue())
    (tmp_path / "png/food/link.png").symlink_to(tmp_path / "png/food/00.png")
    index = make_index(tmp_path)
    assert [p.id for p in index] == [f"food/{n:02d}" for n in range(30)]  # no link; 29 and 30 look the same
    assert index[29].words == ("green", "ripe")
    assert {p.labels for p in index} == {("food",)}


def test_the_shipped_index():
    index = read_index()
    assert len(index) == len({p.id for p in index}) == len({p.sha256 for p in index}) == 3110
    labels = {label for p in index for label in p.labels}
    assert len(labels) == 62
    banned = {singular(word) for label in labels for word in words(label.replace("_", " "))}
    assert not any(singular(word) in banned for p in index for word in p.words)
