"""One step of the core's loop is overridden (`end_epoch`); order, checks, checkpoints and resume stay the loop's."""

import torch
from torch import nn

from hashzoo.training import GradientTrainer


class AlternatingLoss(nn.Module):
    """mean (u - b)^2 + mean (W'b - y)^2 in turn: u (N, K) by gradient with b fixed, then W by least squares, then b."""

    def __init__(self, problem):
        super().__init__()
        shape = (problem.num_train, problem.bits)
        self.register_buffer("codes", torch.where(torch.randn(shape) >= 0, 1.0, -1.0))
        self.register_buffer("classifier", torch.zeros(problem.bits, problem.num_classes))

    def forward(self, output, batch):
        return {"regression": (output.relaxed - self.codes[batch.index]).square().mean()}


class AlternatingTrainer(GradientTrainer):
    """After each epoch of gradient steps: the classifier W from the codes, then every bit of the codes from W."""

    def end_epoch(self, epoch):
        loss, data = self.job.loss, self.job.data
        with torch.no_grad():
            relaxed, labels = data.outputs().relaxed, data.labels
            ridge = torch.eye(relaxed.shape[1], device=relaxed.device)
            loss.classifier.copy_(torch.linalg.solve(loss.codes.T @ loss.codes + ridge, loss.codes.T @ labels))
            wanted = labels @ torch.linalg.pinv(loss.classifier) + 0.1 * relaxed
            loss.codes.copy_(torch.where(wanted >= 0, 1.0, -1.0))
        super().end_epoch(epoch)
