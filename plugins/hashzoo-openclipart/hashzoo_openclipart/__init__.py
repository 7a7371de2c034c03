"""Open Clip Art Library: a multi-label image set, and an image-text set of the same pictures, in the public domain.

The pictures come from Debian's package openclipart-png; labels and texts stand in this plugin.
"""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

_HOMEPAGE = "https://packages.debian.org/bookworm/openclipart-png"
_FLAWS = "clip art, not photographs; several pictures of one hand or series stand in query and database"

OPENCLIPART = Dataset(
    name="openclipart",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="openclipart-kw",
            dataset="openclipart",
            sizes=(300, 1500, 2810),
            sha256="fa1b983e45fa892a23fea3ef76631fe199bac50419c5872a05fb16ae3200de84",
            source="defined here: labels are the keywords of at least 30 pictures",
            summary="62 keywords as labels; queries and training pictures drawn, the database is all but the queries",
            flaws=_FLAWS,
        ),
    ),
    load="hashzoo_openclipart.loader:load",
    backbones={"image": "efficientnet_lite0"},
    multilabel=True,
    summary="3,110 pictures of the Open Clip Art Library with 62 labels (Debian's openclipart-png, public domain)",
    homepage=_HOMEPAGE,
)

OPENCLIPART_PAIRS = Dataset(
    name="openclipart-pairs",
    modalities={"image": "image", "text": "vector"},
    protocols=(
        Protocol(
            id="openclipart-pairs",
            dataset="openclipart-pairs",
            sizes=(200, 1000, 1962),
            sha256="7d70759de5e3ab8d475a06d9b8adf52228e2833a5d49cefab6a456b0090cb328",
            pairs=(("image", "text"), ("text", "image")),
            bits=(16, 32, 64),
            source="defined here: text is title and description without the words of the labels",
            summary="pictures with a text; queries and training pictures drawn, the database is all but the queries",
            flaws=_FLAWS,
        ),
    ),
    load="hashzoo_openclipart.loader:load_pairs",
    backbones={"image": "efficientnet_lite0", "text": "mlp"},
    multilabel=True,
    summary="2,162 pictures of the Open Clip Art Library with 62 labels and the words of their titles and descriptions",
    homepage=_HOMEPAGE,
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return the image set and the image-text set."""
    return (OPENCLIPART, OPENCLIPART_PAIRS)
