"""Backbones: widths, cut points, CNN-F's layers, families, and what is refused."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.files import file_sha256
from hashzoo.models.backbones import torchvision_family
from hashzoo.models.backbones.cnn_f import CNNF, build_cnn_f
from hashzoo.models.backbones.image import measure_feature_dim
from hashzoo.models.backbones.smallcnn import build_smallcnn
from hashzoo.models.backbones.timm_family import build_timm
from hashzoo.models.backbones.torchvision_family import (
    build_alexnet,
    build_resnet50,
    build_torchvision,
    build_vgg16,
)
from hashzoo.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from hashzoo.torchvision_compat import import_torchvision


def images(n: int = 2, height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (n, height, width, 3), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("model", "width"), [("test_resnet", 96), ("test_vit", 64), ("test_efficientnet", 256), ("test_convnext", 64)]
)
def test_timm_models_give_pooled_features_of_the_width_they_say(model, width):
    backbone = build_timm(model, weights="random").eval()
    features = backbone(images())
    assert features.shape == (2, width)
    assert backbone.feature_dim == width


def test_timm_uses_the_models_own_data_configuration():
    import timm

    backbone = build_timm("test_resnet", weights="random")
    own = timm.get_pretrained_cfg("test_resnet")
    assert backbone.preprocessing.size == own.input_size[1]
    assert backbone.preprocessing.mean == own.mean
    assert backbone.preprocessing.std == own.std
    assert backbone.preprocessing.interpolation == own.interpolation
    smaller = build_timm("test_resnet", weights="random", size=64, interpolation="bicubic").preprocessing
    assert (smaller.size, smaller.interpolation) == (64, "bicubic")


def test_a_transformer_of_fixed_size_is_built_for_the_size_asked_for():
    backbone = build_timm("test_vit", weights="random", size=64).eval()
    assert backbone.network.patch_embed.img_size == (64, 64)
    assert backbone(images()).shape == (2, backbone.feature_dim)


def test_unknown_models_are_refused_with_near_ones():
    with pytest.raises(UsageError, match=r"did you mean .*resnet50"):
        build_timm("resnet5O", weights="random")
    with pytest.raises(UsageError, match="did you mean 'alexnet'"):
        build_torchvision("alexnett", weights="random")


def test_images_too_small_for_a_network_are_refused():
    with pytest.raises(UsageError, match="alexnet' does not take images of 16 pixels"):
        build_alexnet(weights="random", size=16)


FAMILIES = (
    "alexnet",
    "convnext_tiny",
    "efficientnet_b0",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "resnet34",
    "resnext50_32x4d",
    "squeezenet1_0",
    "swin_t",
    "swin_v2_t",
    "vgg11_bn",
    "vgg16",
    "vit_b_32",
)  # RegNet is built below: its widths go through numpy, which the meta device cannot do


@pytest.mark.parametrize("name", FAMILIES)
def test_torchvision_networks_are_cut_before_their_last_layer(name):
    """On the meta device: nothing is allocated; D is compared with what the uncut network's last layer takes."""
    models = import_torchvision().models
    extra = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        whole = models.get_model(name, weights=None, **extra)
        backbone = build_torchvision(name, weights="random")
    last = [m for m in whole.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    assert backbone.feature_dim == (last.in_features if isinstance(last, nn.Linear) else last.in_channels)
    if isinstance(last, nn.Linear):
        count = sum(p.numel() for p in whole.parameters()) - sum(p.numel() for p in last.parameters())
        assert sum(p.numel() for p in backbone.parameters()) == count  # that layer alone is gone


def last_input(whole: nn.Module, last: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What the last layer of an uncut network is given."""
    seen: list[torch.Tensor] = []
    handle = last.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    with torch.no_grad():
        whole.eval()(x)
    handle.remove()
    return seen[0].flatten(1)


@pytest.mark.parametrize(
    ("name", "last", "size"),
    [
        ("alexnet", "classifier.6", 64),
        ("resnet50", "fc", 64),
        ("regnet_y_400mf", "fc", 64),
        ("densenet121", "classifier", 64),
        ("shufflenet_v2_x0_5", "fc", 64),
        ("googlenet", "fc", 64),
        ("mobilenet_v3_small", "classifier.3", 64),
    ],
)
def test_features_are_what_the_uncut_network_gives_its_last_layer(tmp_path, name, last, size):
    torch.manual_seed(0)
    models = import_torchvision().models
    extra = {"aux_logits": False, "init_weights": True} if name == "googlenet" else {}
    whole = models.get_model(name, weights=None, **extra)
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    backbone = build_torchvision(name, weights=str(tmp_path / "whole.safetensors"), size=size).eval()
    batch = images()
    expected = last_input(whole, whole.get_submodule(last), backbone.preprocess(batch))
    with torch.no_grad():
        features = backbone(batch)
    assert torch.allclose(features, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


def test_alexnet_and_vgg16_end_where_the_papers_cut_them():
    with torch.device("meta"):
        alexnet, vgg, resnet = (build(weights="random") for build in (build_alexnet, build_vgg16, build_resnet50))
    kinds = [type(m).__name__ for m in alexnet.network.classifier]
    assert kinds == ["Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU"]  # fc7 and its ReLU
    kinds = [type(m).__name__ for m in vgg.network.classifier]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout"]  # the first six modules
    assert (alexnet.feature_dim, vgg.feature_dim, resnet.feature_dim) == (4096, 4096, 2048)
    assert isinstance(resnet.network.fc, nn.Identity)
    for backbone in (alexnet, vgg, resnet):
        chosen = backbone.preprocessing
        assert (chosen.size, chosen.mean, chosen.std) == (224, IMAGENET_MEAN, IMAGENET_STD)


def test_convolutions_are_kept_in_channels_last():
    backbone = build_smallcnn()
    weights = [m.weight for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    assert len(weights) == 6
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 4), (28, 28), (32, 32)])
def test_smallcnn_takes_tiny_images_of_any_shape(height, width):
    backbone = build_smallcnn()
    assert backbone(images(3, height, width)).shape == (3, 128)
    assert build_smallcnn(width=8).feature_dim == 32


def test_smallcnn_learns_the_digits():
    """A few epochs from scratch on real digits, and a linear classifier on its features is nearly always right."""
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    data = load_digits()
    pixels = torch.from_numpy((data.images * 15.9375).astype("uint8"))[..., None].expand(-1, -1, -1, 3)
    labels = torch.from_numpy(data.target)
    model = nn.Sequential(build_smallcnn(width=16), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(4):
        for index in torch.randperm(1300).split(50):
            loss = nn.functional.cross_entropy(model(pixels[index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = model.eval()(pixels[1300:]).argmax(1) == labels[1300:]
    assert right.float().mean() > 0.85  # of 0.1 by chance; 0.926 to 0.988 with other seeds and processors


def test_cnn_f_normalises_responses_as_matconvnet_does():
    """b_c = a_c / (2 + 1e-4 * sum of a^2 over the 5 channels around c) ^ 0.75, alpha not divided by the window."""
    torch.manual_seed(0)
    a = torch.rand(1, 9, 2, 2, dtype=torch.float64) * 300
    got = CNNF().norm.double()(a)
    for channel in range(9):
        window = a[0, max(0, channel - 2) : channel + 3]
        expected = a[0, channel] / (2 + 1e-4 * (window**2).sum(0)) ** 0.75
        assert torch.allclose(got[0, channel], expected, rtol=1e-9)


def test_cnn_f_has_the_published_map_sizes():
    with torch.device("meta"):
        network = CNNF().eval()
        x = torch.zeros(1, 3, 224, 224)
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda m, given, out, name=name: shapes.setdefault(name, []).append(tuple(out.shape[1:]))
        )
    assert network(x).shape == (1, 4096)
    assert shapes["conv1"] == [(64, 54, 54)]
    assert shapes["pool"] == [(64, 27, 27), (256, 13, 13), (256, 6, 6)]
    assert shapes["conv5"] == [(256, 13, 13)]
    assert shapes["fc6"] == [(4096, 1, 1)]
    assert len(shapes["norm"]) == 2


def test_cnn_f_takes_pixels_in_0_to_255_less_a_mean():
    with torch.device("meta"):
        chosen = build_cnn_f().preprocessing
    batch = torch.full((1, 224, 224, 3), 255, dtype=torch.uint8)
    out = Preprocess(chosen)(batch)
    assert out[0, :, 0, 0].tolist() == pytest.approx([255 - 123.68, 255 - 116.779, 255 - 103.939], abs=1e-3)


@pytest.mark.parametrize(("build", "said"), [(build_cnn_f, "imagenet-vgg-f.mat"), (build_smallcnn, "'smallcnn'")])
def test_networks_without_published_weights_say_so(build, said):
    with pytest.raises(UsageError, match=said):
        build(weights="pretrained")


def test_features_must_be_one_vector_for_each_image():
    with pytest.raises(UsageError, match=r"\(1, 3, 8, 8\), not \(N, D\)"):
        measure_feature_dim(nn.Identity(), 8, "odd")


def test_pretrained_weights_come_through_torchvisions_own_loader(tmp_path, monkeypatch):
    """A stand-in lies where torch.hub keeps what it has fetched, so that the real loader finds it."""
    models = import_torchvision().models
    torch.manual_seed(0)
    whole = models.squeezenet1_1()
    published = models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    file = folder / published.url.rpartition("/")[2]
    torch.save(whole.state_dict(), file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WorkError, match="is not the file that torchvision publishes for 'squeezenet1_1'"):
        build_torchvision("squeezenet1_1", size=64)
    monkeypatch.setattr(torchvision_family, "published_digest", lambda url: file_sha256(file)[:8])
    backbone = build_torchvision("squeezenet1_1", size=64)
    assert torch.equal(backbone.network.features[0].weight, whole.features[0].weight)
    assert backbone.feature_dim == 512


def test_a_file_put_among_the_fetched_weights_runs_nothing(tmp_path, monkeypatch):
    class Runs:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    file = folder / import_torchvision().models.AlexNet_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    torch.save({"features.0.weight": Runs()}, file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for digest in ("0" * 8, file_sha256(file)[:8]):  # also where the name's digest were that of the file
        monkeypatch.setattr(torchvision_family, "published_digest", lambda url, digest=digest: digest)
        with pytest.raises(HashzooError):
            build_torchvision("alexnet")
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    import socket

    import huggingface_hub.constants as hub

    def refuse(*args: object, **options: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)  # otherwise the hub's client tries again for most of a minute
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: build_torchvision("squeezenet1_1"), "torchvision/squeezenet1_1"),
        (lambda: build_timm("test_resnet"), "timm/test_resnet"),
    ],
)
def test_without_network_the_sentence_says_what_and_how_else(no_network, build, name):
    with pytest.raises(WorkError) as caught:
        build()
    assert f"'{name}' could not be fetched" in str(caught.value)
    assert "--weights PATH" in str(caught.value)
    assert "\n" not in str(caught.value)
