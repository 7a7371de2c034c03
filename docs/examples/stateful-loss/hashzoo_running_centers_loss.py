"""What lasts over batches is a registered buffer: it moves to the device, is in checkpoints, and resumes."""

import torch
from torch import nn


class RunningCenters(nn.Module):
    """Pairs of outputs agree as their labels do, and each output is pulled to the mean center of its classes.

    Options:
        momentum: how slowly the centers follow the outputs; chosen by hand
    """

    def __init__(self, problem, *, momentum=0.9):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("centers", torch.zeros(problem.num_classes, problem.bits))
        self.register_buffer("weight", torch.zeros(()))
        self.register_buffer("labels", torch.zeros(problem.num_train, problem.num_classes))

    def start_epoch(self, epoch, epochs):
        self.weight.fill_(epoch / epochs)

    def end_epoch(self, epoch, outputs):
        """Move the centers towards the means of the outputs (n, K) of the whole train split."""
        means = self.labels.T @ outputs.relaxed / self.labels.sum(0).clamp_min(1)[:, None]
        self.centers.mul_(self.momentum).add_((1 - self.momentum) * means)

    def prepare(self, data, seed):
        """Keep the labels (n, C) of the train split, whose rows are those of the outputs in `end_epoch`."""
        self.labels.copy_(data.labels)

    def forward(self, output, batch):
        similar = (batch.labels @ batch.labels.T > 0).float()
        found = output.relaxed @ output.relaxed.T / output.relaxed.shape[1]
        targets = batch.labels @ self.centers / batch.labels.sum(1, keepdim=True).clamp_min(1)
        pull = 0.1 * self.weight * (output.relaxed - targets).square().mean()
        return {"pairwise": (found - (2 * similar - 1)).square().mean(), "centers": pull}
