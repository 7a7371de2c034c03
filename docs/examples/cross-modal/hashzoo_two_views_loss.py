"""The outputs are keyed by the method's roles, whatever the data set calls its modalities."""

from torch import nn

from hashzoo import UsageError


class TwoViews(nn.Module):
    def __init__(self, problem):
        super().__init__()
        if len(problem.modalities) != 2:
            raise UsageError(f"Loss 'two-views' compares two roles; got {', '.join(problem.modalities)}.")
        self.roles = problem.modalities

    def forward(self, output, batch):
        first, second = (output[role].relaxed for role in self.roles)
        target = 2 * (batch.labels @ batch.labels.T > 0).float() - 1
        bits = first.shape[1]
        across = (first @ second.T / bits - target).square().mean()
        within = sum((u @ u.T / bits - target).square().mean() for u in (first, second))
        return {"across": across, "within": 0.5 * within}
