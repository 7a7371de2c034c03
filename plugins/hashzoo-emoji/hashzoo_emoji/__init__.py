"""Emoji: a small image-text set; pictures from the npm package emoji-datasource-google, names and keywords as text."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

EMOJI = Dataset(
    name="emoji",
    modalities={"image": "image", "text": "vector"},
    protocols=(
        Protocol(
            id="emoji-pairs",
            dataset="emoji",
            sizes=(430, 1830, 2536),
            sha256="8308dbbd882342653ffc5b400164db6b555fb2e14328cbc0edaf4d605f6483c0",
            pairs=(("image", "text"), ("text", "image")),
            bits=(16, 32, 64),
            source="defined here: labels are Unicode's subgroups, text is name and keywords without their words",
            summary="emoji drawn from every subgroup with all their skin tones; the database is all but the queries",
            flaws="drawings of one hand; skin tones of one emoji look alike (they stay in one part)",
        ),
    ),
    load="hashzoo_emoji.loader:load",
    backbones={"image": "smallcnn", "text": "mlp"},
    summary="3,067 emoji of 64 x 64 pixels with their names and keywords in 57 subgroups (npm emoji-datasource-google)",
    homepage="https://www.npmjs.com/package/emoji-datasource-google",
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return the image-text set."""
    return (EMOJI,)
