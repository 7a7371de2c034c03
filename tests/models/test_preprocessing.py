"""Preprocessing against Pillow's resizing and plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from hashzoo.errors import UsageError
from hashzoo.models import preprocessing as module
from hashzoo.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocess, Preprocessing

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def photographs(side: int) -> np.ndarray:
    """Two real photographs, cut to side x side."""
    return np.stack([image[100 : 100 + side, 200 : 200 + side] for image in load_sample_images().images])


def in_floats(x: torch.Tensor, side: int, interpolation: str) -> torch.Tensor:
    return module.resize_in_floats(x, side, interpolation)


@pytest.mark.parametrize("resize", [module.resize_uint8, in_floats])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("before", "after"), [(32, 224), (128, 50), (64, 64)])
def test_resizing_is_pillows(resize, interpolation, before, after):
    images = photographs(before)
    expected = np.stack(
        [np.asarray(Image.fromarray(image).resize((after, after), PILLOW[interpolation])) for image in images]
    )
    got = resize(torch.from_numpy(images).permute(0, 3, 1, 2), after, interpolation)
    assert got.dtype == torch.uint8
    difference = np.abs(got.permute(0, 2, 3, 1).numpy().astype(int) - expected.astype(int))
    assert difference.max() <= 1
    assert difference.mean() < 0.02


def test_normalisation_by_hand():
    images = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 1, 1, 3).expand(2, 5, 4, 3)
    out = Preprocess(Preprocessing(size=0, mean=IMAGENET_MEAN, std=IMAGENET_STD)).eval()(images)
    expected = (np.array([0, 128, 255]) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    assert out.shape == (2, 3, 5, 4)
    np.testing.assert_allclose(out[1, :, 2, 3].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert out.dtype == torch.float32
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_normalisation_stays_float32_under_autocast():
    images = torch.randint(0, 256, (2, 8, 8, 3), dtype=torch.uint8)
    step = Preprocess(Preprocessing(size=8))
    plain = step(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(step(images), plain)


def numbered(n: int, side: int) -> torch.Tensor:
    """Images whose red is the row and green the column."""
    rows = torch.arange(side, dtype=torch.uint8).view(1, side, 1).expand(n, side, side)
    return torch.stack([rows, rows.transpose(1, 2), torch.zeros_like(rows)], dim=3)


def undone(preprocessing: Preprocessing, images: torch.Tensor, training: bool) -> np.ndarray:
    """Pixels 0..255 after preprocessing without its normalisation (N, H, W, 3)."""
    out = Preprocess(preprocessing).train(training)(images)
    pixels = out * torch.tensor(preprocessing.std).view(1, 3, 1, 1) + torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    return (pixels * 255).round().permute(0, 2, 3, 1).numpy().astype(int)


def test_evaluation_cuts_the_centre_and_draws_nothing():
    chosen = Preprocessing(size=6, resize=10, augment="flip+crop")
    state = torch.get_rng_state()
    pixels = undone(chosen, numbered(3, 10), training=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert (pixels[:, :, 0, 0] == np.arange(2, 8)).all()
    assert (pixels[:, 0, :, 1] == np.arange(2, 8)).all()


def test_training_crops_everywhere_and_is_reproduced_by_the_seed():
    chosen = Preprocessing(size=6, resize=8, augment="crop")
    torch.manual_seed(5)
    first = undone(chosen, numbered(200, 8), training=True)
    torch.manual_seed(5)
    assert (undone(chosen, numbered(200, 8), training=True) == first).all()
    corners = first[:, 0, 0, :2]
    assert {tuple(c) for c in corners.tolist()} == {(i, j) for i in range(3) for j in range(3)}
    rows = corners[:, :1] + np.arange(6)
    assert (first[:, :, 0, 0] == rows).all()  # each is a piece of the image, in order


def test_training_mirrors_about_half_of_the_images():
    pixels = undone(Preprocessing(size=8, augment="flip"), numbered(400, 8), training=True)
    mirrored = pixels[:, 0, 0, 1] == 7
    assert (pixels[mirrored][:, 0, :, 1] == np.arange(7, -1, -1)).all()
    assert (pixels[~mirrored][:, 0, :, 1] == np.arange(8)).all()
    assert 150 < mirrored.sum() < 250
    assert (pixels[:, :, 0, 0] == np.arange(8)).all()  # never upside down


def test_no_augmentation_is_the_same_in_training():
    images = torch.randint(0, 256, (4, 12, 9, 3), dtype=torch.uint8)
    step = Preprocess(Preprocessing(size=8, resize=9))
    assert torch.equal(step.train()(images), step.eval()(images))


def test_cropping_without_resize_uses_the_usual_pair():
    assert Preprocessing(size=224, augment="crop").resized == 256
    assert Preprocessing(size=224, augment="flip").resized == 224
    assert Preprocessing(size=0).resized == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"interpolation": "bicubik"}, "bicubic"),
        ({"augment": "flop"}, "flip"),
        ({"size": -1}, "at least 0"),
        ({"size": 1.5}, "integer"),
        ({"size": 224, "resize": 200}, "at least size"),
        ({"size": 0, "augment": "crop"}, "give a size"),
    ],
)
def test_bad_fields_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Preprocessing(**fields)


@pytest.mark.parametrize(
    "images",
    [torch.zeros(2, 8, 8, 3), torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.zeros(8, 8, 3, dtype=torch.uint8)],
)
def test_anything_but_uint8_nhwc_is_refused(images):
    with pytest.raises(UsageError, match=r"uint8 images of shape \(N, H, W, 3\)"):
        Preprocess(Preprocessing(size=8))(images)
