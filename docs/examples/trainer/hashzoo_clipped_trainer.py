"""A loop of its own: seeds, batches, checkpoints and reports as the core expects them."""

import torch

from hashzoo.training.checkpoints import optimizer_tensors, restore_optimizer
from hashzoo.training.gradient import Objective, start_epoch
from hashzoo.training.optimizers import build_optimizer
from hashzoo.training.seeds import seed_all


class Clipped:
    def __init__(self, max_norm):
        self.max_norm = max_norm

    def fit(self, job):
        objective = Objective(job.model, job.loss).to(job.accelerator.device)
        optimizer = build_optimizer(job.recipe, job.model, job.loss)
        begin, history = 0, ()
        if (found := job.checkpoints.latest()) is not None:
            names = objective.state_dict()
            objective.load_state_dict({name: found.tensors[name] for name in names})
            restore_optimizer(optimizer, found.tensors)
            begin, history = found.epoch, found.history
        for epoch in range(begin, job.recipe.epochs):
            seed_all(job.seed, "epoch", epoch)  # what is drawn depends on seed and epoch alone
            job.model.start_epoch(epoch, job.recipe.epochs)
            start_epoch(job.loss, epoch, job.recipe.epochs)
            for batch in job.data.batches(job.recipe.batch_size, job.seed, epoch):
                terms = objective(batch)
                job.accelerator.backward(torch.stack(list(terms.values())).sum())
                torch.nn.utils.clip_grad_norm_(objective.parameters(), self.max_norm)
                optimizer.step()
                optimizer.zero_grad()
            history = (*history, {name: float(value.detach()) for name, value in terms.items()})
            job.report(epoch, history[-1])
            if job.checkpoints.due():
                job.checkpoints.save(epoch + 1, objective.state_dict() | optimizer_tensors(optimizer), history)


def build(max_norm=1.0):
    return Clipped(max_norm)
