"""Several processes on one batch: each computes a piece, and each loss sees the whole batch, as in one process."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

from hashzoo.specs import HashOutput


def piece(index: torch.Tensor, rank: int, processes: int) -> torch.Tensor:
    """Return process `rank`'s rows of a batch (N,): ceil(N / processes) of them, the last filled up from the start.

    >>> [piece(torch.arange(5), rank, 2).tolist() for rank in range(2)]
    [[0, 1, 2], [3, 4, 0]]
    """
    size = -(-len(index) // processes)
    places = torch.arange(rank * size, (rank + 1) * size) % len(index)
    return index[places]


def whole(output: HashOutput, size: int) -> HashOutput:
    """Return the outputs of all processes for the first `size` rows of the batch, with their gradients.

    Every process then computes the same loss; its gradient with respect to a piece comes back from each of them, and
    the mean that DistributedDataParallel takes over the processes makes it the gradient of the one loss. Only what is
    computed within a backbone from the batch itself (batch normalisation) sees one piece.
    """
    parts = (output.features, output.relaxed, output.codes)
    gathered = [_Gather.apply(part)[:size] for part in parts]  # type: ignore[no-untyped-call] # torch gives it no types
    return HashOutput(*gathered)


class _Gather(torch.autograd.Function):
    """The pieces of all processes in order; backward, the sum over processes of the gradient of one's own piece."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor) -> torch.Tensor:
        parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]
