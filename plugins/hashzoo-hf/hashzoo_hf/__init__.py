"""Any image or image-text set of the Hugging Face `datasets` library, by its name and the names of its columns."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

_SUMMARY = "the set's own splits named by the options, or drawn from one split by sha256"

HF = Dataset(
    name="hf",
    modalities={"image": "image"},
    protocols=(Protocol(id="hf", dataset="hf", sizes=(0, 0, 0), source="the user's own", summary=_SUMMARY),),
    load="hashzoo_hf.loader:load",
    backbones={"image": "efficientnet_lite0"},
    summary="images of a Hugging Face data set: path=org/name image=COLUMN label=COLUMN",
    homepage="https://huggingface.co/docs/datasets",
)

HF_PAIRS = Dataset(
    name="hf-pairs",
    modalities={"image": "image", "text": "vector"},
    protocols=(
        Protocol(
            id="hf-pairs",
            dataset="hf-pairs",
            sizes=(0, 0, 0),
            pairs=(("image", "text"), ("text", "image")),
            bits=(16, 32, 64),
            source="the user's own",
            summary=_SUMMARY,
        ),
    ),
    load="hashzoo_hf.loader:load_pairs",
    backbones={"image": "efficientnet_lite0", "text": "mlp"},
    summary="images and texts of a Hugging Face data set: path=org/name image=COLUMN text=COLUMN label=COLUMN",
    homepage="https://huggingface.co/docs/datasets",
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return the data sets `hf` and `hf-pairs`."""
    return (HF, HF_PAIRS)
