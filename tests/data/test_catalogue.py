"""What is registered, how it is listed, and what its documentation says."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hashzoo.data.catalogue import check, data_path, list_datasets, prepare, takes_progress
from hashzoo.data.datasets import ARRAYS, CIFAR10, CIFAR10_JPEG, DIGITS, IMAGEFOLDER, WIKI, hashzoo_register_datasets
from hashzoo.errors import WorkError
from hashzoo.plugins.options import resolve

DATASETS = hashzoo_register_datasets()
DOCS = Path(__file__).parents[2] / "docs" / "protocols.md"


def test_registered_datasets_are_consistent() -> None:
    names = [
        name for dataset in DATASETS for protocol in dataset.protocols for name in (protocol.id, *protocol.aliases)
    ]
    assert len(names) == len(set(names))
    for dataset in DATASETS:
        load = resolve(dataset.load, dataset.name)
        assert load.__doc__
        assert set(dataset.backbones) == set(dataset.modalities)
        for protocol in dataset.protocols:
            assert {modality for pair in protocol.pairs for modality in pair} == set(dataset.modalities)
            assert bool(protocol.sha256) == (protocol.sizes != (0, 0, 0))
            assert len(protocol.sha256) in (0, 64)
    assert takes_progress(resolve(CIFAR10_JPEG.load, ""))
    assert not takes_progress(resolve(DIGITS.load, ""))


def test_describing_datasets_imports_nothing_heavy() -> None:
    script = (
        "import sys; import hashzoo.data.datasets as b; b.hashzoo_register_datasets(); "
        "import hashzoo.data.catalogue; from pathlib import Path; "
        "hashzoo.data.catalogue.list_datasets(b.hashzoo_register_datasets(), Path('.')); "
        "print([m for m in ('numpy', 'torch', 'pandas', 'PIL', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_imports_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from hashzoo.data import load_splits; "
        "from hashzoo.data.datasets import DIGITS; load_splits(DIGITS, DIGITS.protocols[0], Path('.')); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_torchvision_imports_whether_or_not_its_operators_fit() -> None:
    script = (
        "from hashzoo.torchvision_compat import import_torchvision as load; tv = load(); assert load() is tv; "
        "import torch; from torchvision.datasets import CIFAR10; from torchvision.models import alexnet; "
        "alexnet(weights=None); print(torch.ops.torchvision.nms.default._schema)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Tensor dets, Tensor scores, float iou_threshold" in done.stdout


def test_states_follow_the_files(tmp_path: Path) -> None:
    (tmp_path / "cifar10_jpeg.zip").write_text("")
    (tmp_path / "wiki").mkdir()
    (tmp_path / "wiki" / "raw_features.mat").write_text("")
    states = {row["name"]: row["state"] for row in list_datasets(DATASETS, tmp_path)}
    assert states == {
        "digits": "embedded",
        "digits-halves": "embedded",
        "cifar10": "missing",
        "cifar10-jpeg": "ready",
        "wiki": "missing",
        "imagefolder": "your own",
        "lists": "your own",
        "arrays": "your own",
        "arrays-pair": "your own",
    }
    located = data_path(WIKI, tmp_path)
    assert [file["exists"] for file in located["files"]] == [True, False, False]
    assert located["files"][0]["path"] == str(tmp_path / "wiki" / "raw_features.mat")


def test_rules_of_known_sizes_over_ones_own_copy_are_not_embedded(tmp_path: Path) -> None:
    known = replace(IMAGEFOLDER.protocols[0], id="imagefolder-known", sizes=(1, 1, 1), sha256="0" * 64)
    bundle = replace(IMAGEFOLDER, protocols=(*IMAGEFOLDER.protocols, known))
    assert [row["state"] for row in list_datasets([bundle], tmp_path)] == ["your own"]


def test_check_and_prepare_report_plain_data(tmp_path: Path) -> None:
    report = prepare(DIGITS, DIGITS.protocols[0], tmp_path)
    assert report["sizes"] == {"train": 500, "query": 300, "database": 997}
    assert report["problems"] == []
    assert report["inputs"] == {"image": {"shape": [1797, 8, 8, 3], "dtype": "uint8"}}
    json.dumps(report)


def test_check_reports_problems_instead_of_raising(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", features=np.eye(4), labels=[0, 0, 1, 1])
    report = check(ARRAYS, ARRAYS.protocols[0], tmp_path, path="a.npz", queries=2, train=2)
    assert report["problems"] == ["the database part is empty; give it some items"]


def test_prepare_downloads_where_the_loader_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hashzoo.data.cifar10 import _reader

    asked = []

    def offline(self: object) -> None:
        asked.append(self)
        raise OSError("no route to host")

    monkeypatch.setattr(_reader(), "download", offline)
    with pytest.raises(WorkError, match="no route to host"):
        prepare(CIFAR10, CIFAR10.protocols[0], tmp_path / "new")
    with pytest.raises(WorkError, match="which does not exist"):
        check(CIFAR10, CIFAR10.protocols[0], tmp_path / "new")
    assert len(asked) == 1


def test_the_page_on_protocols_has_the_registered_ones() -> None:
    spec = importlib.util.spec_from_file_location("make_protocols", DOCS.with_name("make_protocols.py"))
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    text = DOCS.read_text(encoding="utf-8")
    assert text == make.with_tables(text, make.protocol_tables(DATASETS)), "run `python docs/make_protocols.py`"
    for dataset in DATASETS:
        assert f"`{dataset.name}`" in text
    with pytest.raises(ValueError, match="lacks the markers"):
        make.with_tables(f"{make.END} {make.BEGIN}", "")
