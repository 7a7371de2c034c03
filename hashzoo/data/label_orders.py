"""The orders in which the field's lists write their label columns, recognised by how full each column is.

Lists name no classes, and two orders of one set look alike but for their column sums. The counts below are those of
published lists: COCO of HashNet (train and database), MIRFLICKR, VOC 2012 and NUS-WIDE-m of DeepHash-pytorch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_COCO = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)
_NUS21 = (
    "sky,clouds,person,water,animal,grass,buildings,window,plants,lake,ocean,road,flowers,sunset,reflection,rocks,"
    "vehicle,snow,tree,beach,mountain"
)
_NUS81 = (
    "airport,animal,beach,bear,birds,boats,book,bridge,buildings,cars,castle,cat,cityscape,clouds,computer,coral,cow,"
    "dancing,dog,earthquake,elk,fire,fish,flags,flowers,food,fox,frost,garden,glacier,grass,harbor,horses,house,lake,"
    "leaf,map,military,moon,mountain,nighttime,ocean,person,plane,plants,police,protest,railroad,rainbow,reflection,"
    "road,rocks,running,sand,sign,sky,snow,soccer,sports,statue,street,sun,sunset,surf,swimmers,tattoo,temple,tiger,"
    "tower,town,toy,train,tree,valley,vehicle,water,waterfall,wedding,whales,window,zebra"
)
_MIRFLICKR = (
    "animals,baby,baby_r1,bird,bird_r1,car,car_r1,clouds,clouds_r1,dog,dog_r1,female,female_r1,flower,flower_r1,food,"
    "indoor,lake,male,male_r1,night,night_r1,people,people_r1,plant_life,portrait,portrait_r1,river,river_r1,sea,sea_r1,"
    "sky,structures,sunset,transport,tree,tree_r1,water"
)
_BIHALF = (
    "people,plant_life,car,portrait,female,indoor,night,baby,structures,clouds,tree,flower,transport,animals,water,dog,"
    "sunset,male,food,sea,lake,river,sky,bird"
)
_VOC = (
    "aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,dog,horse,motorbike,person,pottedplant,sheep,"
    "sofa,train,tvmonitor"
)
# fmt: off
_COUNTS = {
    "COCO": (",".join(sorted(_COCO.split(","))), (
        3083, 1662, 5756, 2346, 2603, 2729, 1009, 3831, 5805, 3401, 3362, 3146, 5562, 8880, 7425, 2010, 4141,
        3049, 12786, 1764, 4298, 5017, 13354, 4863, 4618, 2055, 9579, 12338, 4562, 1585, 2232, 1797, 3710,
        2268, 2647, 198, 7133, 3069, 1273, 2221, 2352, 4507, 3707, 1601, 3661, 1964, 1784, 2992, 742, 66808,
        3319, 4624, 2461, 3221, 2463, 975, 1594, 4865, 3603, 3202, 1703, 3682, 4431, 1803, 2507, 3635, 2234,
        3561, 3955, 225, 3502, 1041, 4330, 3745, 6377, 4768, 4142, 3730, 2643, 2001,
    )),
    "NUS-WIDE": (_NUS21, (
        62623, 45848, 39836, 29832, 29137, 18990, 15128, 12478, 12225, 11443, 9545, 7887, 7277, 7254, 6792,
        5388, 4967, 4507, 4542, 4403, 4341,
    )),
    "NUS-WIDE (81)": (_NUS81, (
        60, 2514, 364, 100, 268, 291, 32, 159, 1357, 131, 40, 174, 196, 3934, 33, 117, 54, 52, 212, 7, 57, 71,
        119, 24, 603, 187, 45, 86, 211, 31, 1655, 29, 135, 286, 984, 143, 4, 213, 78, 366, 297, 853, 3430,
        186, 1019, 91, 73, 70, 31, 561, 695, 464, 41, 142, 124, 5432, 397, 9, 116, 77, 210, 281, 627, 14, 30,
        26, 121, 51, 191, 151, 197, 69, 388, 294, 481, 2570, 55, 92, 24, 1091, 20,
    )),
    "MIRFLICKR": (_MIRFLICKR, (
        3216, 259, 116, 742, 484, 1177, 380, 3700, 1350, 684, 590, 6184, 3982, 1823, 1077, 990, 8313, 791,
        6081, 3647, 2711, 669, 10373, 7849, 8763, 3931, 3829, 894, 149, 1322, 214, 7912, 9992, 2135, 2895,
        4683, 668, 3331,
    )),
    "VOC 2012": (_VOC, (
        670, 552, 765, 508, 706, 421, 1161, 1080, 1119, 303, 538, 1286, 482, 526, 4087, 527, 325, 507, 544,
        575,
    )),
}
# fmt: on
CLEAR, AHEAD = 0.8, 0.1
"""An order is named where the log counts correlate at least so much, and so much more than in any other order."""


@dataclass(frozen=True)
class LabelOrder:
    """An order of label columns: the set, what the order is called, the class names in it."""

    dataset: str
    order: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.dataset}, {len(self.names)} labels, {self.order}"


def _orders() -> tuple[LabelOrder, ...]:
    coco, nus = _COCO.split(","), _NUS21.split(",")
    flickr = [name for name in _MIRFLICKR.split(",") if not name.endswith("_r1")]
    return tuple(
        LabelOrder(dataset, order, tuple(names))
        for dataset, order, names in (
            ("COCO", "alphabetical order (HashNet, DCH, DeepHash-pytorch, CSQ)", sorted(coco)),
            ("COCO", "category id order (modfire, DCHMT, MITH)", coco),
            ("NUS-WIDE", "order of frequency (DHN, HashNet, DeepHash-pytorch, CSQ)", nus),
            ("NUS-WIDE", "alphabetical order (Bi-Half)", sorted(nus)),
            ("NUS-WIDE", "order of frequency (10 concepts)", nus[:10]),
            ("NUS-WIDE", "alphabetical order (Bi-Half, 10 concepts)", sorted(nus[:10])),
            ("NUS-WIDE (81)", "alphabetical order (Concepts81.txt)", _NUS81.split(",")),
            ("MIRFLICKR", "alphabetical order (DeepHash-pytorch)", _MIRFLICKR.split(",")),
            ("MIRFLICKR", "alphabetical order", flickr),
            ("MIRFLICKR", "order of Bi-Half", _BIHALF.split(",")),
            ("VOC 2012", "alphabetical order (DeepHash-pytorch)", _VOC.split(",")),
        )
    )


def recognise(labels: np.ndarray) -> LabelOrder | None:
    """Return the order that the columns of `labels` (n, C) are in, by their sums, or None where none is clear."""
    sums = labels.sum(axis=0, dtype=np.float64)
    if not sums.any():
        return None
    found: list[tuple[float, LabelOrder]] = []
    for order in _orders():
        if len(order.names) != len(sums):
            continue
        names, counts = _COUNTS[order.dataset]
        count = dict(zip(names.split(","), counts, strict=True))
        expected = np.asarray([count[name] for name in order.names], dtype=np.float64)
        found.append((_correlation(np.log1p(sums), np.log1p(expected)), order))
    found.sort(key=lambda item: -item[0])
    if not found or found[0][0] < CLEAR or (len(found) > 1 and found[0][0] - found[1][0] < AHEAD):
        return None
    return found[0][1]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm else 0.0
