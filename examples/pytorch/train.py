"""Train a small PyTorch model on scikit-learn's digits and export it to ONNX.

    python examples/pytorch/train.py --output build/pytorch

Writes `digits.onnx` (float32), `calibration.npz` for `rowforge quantize`, and for the held-out
digits `x.npy` (float32, as the model takes them; the first five again in `first.npy`), `labels.npy`
and `float.npy` (PyTorch's outputs).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 1
EPOCHS = 40
FIRST = 5  # held-out digits for the RTL
CALIBRATION = 200  # training digits that the quantiser sees


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and held-out images (N, 1, 8, 8) in 0 ... 1, and their labels."""
    data = load_digits()
    images = (data.images / 16).astype(np.float32)[:, None]
    parts = train_test_split(
        images, data.target, test_size=450, random_state=SEED, stratify=data.target
    )
    return parts[0], parts[2], parts[1], parts[3]


class Network(nn.Module):
    """Convolutions with batch normalisation, one of them depthwise; a residual; a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.branch = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU6(),
            nn.Conv2d(16, 16, 1),
        )
        self.last = nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU())
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(128, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (N, 10) of images (N, 1, 8, 8)."""
        x = nn.functional.max_pool2d(self.first(x), 2)
        x = nn.functional.relu(x + self.branch(x))
        return self.classifier(self.last(x))


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Adam on the cross entropy."""
    optimiser = torch.optim.Adam(model.parameters())
    model.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(32):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimiser.step()
    model.eval()


def main() -> None:
    """Train, export, and write what `rowforge` and the comparison need."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/pytorch"))
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    images, labels, held_out, answers = digits()
    model = Network()
    train(model, torch.from_numpy(images), torch.from_numpy(labels))
    program = torch.onnx.export(
        model, (torch.from_numpy(held_out[:1]),), input_names=["image"], output_names=["scores"]
    )
    program.save(folder / "digits.onnx")
    np.savez(folder / "calibration.npz", image=images[:CALIBRATION])
    np.save(folder / "x.npy", held_out)
    np.save(folder / "first.npy", held_out[:FIRST])
    np.save(folder / "labels.npy", answers)
    with torch.no_grad():
        np.save(folder / "float.npy", model(torch.from_numpy(held_out)).numpy())
    print(f"{folder}/digits.onnx, {len(held_out)} held-out digits beside it")


if __name__ == "__main__":
    main()
