"""Stage one in `prepare`, once before the first epoch; the codes are brought up to date in `end_epoch`."""

import torch
from torch import nn


class TwoStage(nn.Module):
    """Regression of the relaxed outputs u (N, K) on codes b (n, K) of the train split: mean of (u - b)^2.

    Stage one draws a +-1 word for each class; b is the sign of the sum of an item's words. After each epoch b becomes
    sign(sum + u), so that a bit on which the words disagree follows the network.
    """

    def __init__(self, problem):
        super().__init__()
        self.register_buffer("sums", torch.zeros(problem.num_train, problem.bits))
        self.register_buffer("codes", torch.ones(problem.num_train, problem.bits))

    def prepare(self, data, seed):
        words = torch.randn(data.labels.shape[1], self.sums.shape[1], generator=torch.Generator().manual_seed(seed))
        self.sums.copy_(data.labels @ torch.where(words >= 0, 1.0, -1.0).to(data.labels.device))
        self.end_epoch(-1, None)

    def end_epoch(self, epoch, outputs):
        total = self.sums if outputs is None else self.sums + outputs.relaxed.clamp(-0.5, 0.5)
        self.codes.copy_(torch.where(total >= 0, 1.0, -1.0))

    def forward(self, output, batch):
        return {"regression": (output.relaxed - self.codes[batch.index]).square().mean()}
