"""ITQ's rotation here and in FAISS from the same start: the quantization error |sgn(V R) - V R|^2 after each round.

    OMP_NUM_THREADS=1 python benchmarks/faiss_itq.py

V are 500 Gaussian rows of 16 columns whose scales fall from 3 to 0.5, seed 0. FAISS's ITQMatrix is given the rotation
to start from. A correct round can only lower the error.
"""

from __future__ import annotations

import faiss
import torch
from hashzoo_itq.fitter import learn_rotation, quantization_error, random_rotation

from hashzoo.fitting import generator

ROUNDS = (1, 2, 3, 10, 50)


def faiss_rotation(v: torch.Tensor, start: torch.Tensor, rounds: int) -> torch.Tensor:
    """Return FAISS's rotation (K, K) after some rounds from `start`."""
    bits = v.shape[1]
    matrix = faiss.ITQMatrix(bits)
    matrix.max_iter = rounds
    faiss.copy_array_to_vector(start.numpy().ravel(), matrix.init_rotation)  # column-major, of the transpose
    matrix.train(v.float().numpy())
    return torch.from_numpy(faiss.vector_to_array(matrix.A).reshape(bits, bits).T.copy()).double()


def main() -> None:
    """Print the errors."""
    draws = generator(0)
    v = torch.randn(500, 16, generator=draws, dtype=torch.float64) * torch.linspace(3, 0.5, 16, dtype=torch.float64)
    start = random_rotation(16, draws)
    print(f"faiss {faiss.__version__}; error at the start {quantization_error(v, start):.1f}")
    for rounds in ROUNDS:
        theirs = quantization_error(v, faiss_rotation(v, start, rounds))
        ours = quantization_error(v, learn_rotation(v, start, rounds))
        print(f"after {rounds:2} rounds: faiss {theirs:.1f}, here {ours:.1f}")


if __name__ == "__main__":
    main()
