"""What is imported when it is used and never when plugins are listed."""

HEAVY = (
    "accelerate", "altair", "h5py", "matplotlib", "numba", "optuna", "pandas", "pydantic", "ray", "scipy", "sklearn",
    "timm", "torch", "torchvision",
)  # fmt: skip
