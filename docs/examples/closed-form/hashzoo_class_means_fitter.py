"""Least squares from features to +-1 words of the classes, drawn from the seed; everything in float64."""

import torch


class ClassMeans:
    """W = (X'X + ridge n I)^-1 X'T, with centered features X (n, D) and the mean words T (n, K) of each item's classes.

    Options:
        ridge: share of the identity that is added; chosen by hand
    """

    def __init__(self, problem, *, ridge=0.01):
        self.bits, self.ridge = problem.bits, ridge

    def fit(self, features, labels, seed):
        draw = torch.randn(labels.shape[1], self.bits, generator=torch.Generator().manual_seed(seed))
        words = torch.where(draw >= 0, 1.0, -1.0).double()
        targets = labels.double() @ words / labels.double().sum(1, keepdim=True).clamp_min(1)
        return {role: self.projection(x.double(), targets) for role, x in features.items()}

    def projection(self, x, targets):
        mean, bias = x.mean(0), targets.mean(0)
        scatter = (x - mean).T @ (x - mean) + self.ridge * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
        weight = torch.linalg.solve(scatter, (x - mean).T @ (targets - bias))
        return {"mean": mean.float(), "weight": weight.float(), "bias": bias.float()}
