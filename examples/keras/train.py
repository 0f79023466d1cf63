"""Train a small Keras model on scikit-learn's digits and convert it to an int8 `.tflite`.

    python examples/keras/train.py --output build/keras

Writes `digits.tflite`, and for the held-out digits `x.npy` (int8, as the model takes them; the
first five again in `first.npy`), `labels.npy`, `float.npy` (the Keras model's outputs) and
`expected.npy` (the int8 model's outputs in TensorFlow Lite Micro, whose kernels define what the
accelerator computes).
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tflite_micro import runtime

SEED = 1
EPOCHS = 40
FIRST = 5  # held-out digits for the RTL
CALIBRATION = 200  # training digits that the converter sees


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and held-out images (N, 8, 8, 1) in 0 ... 1, and their labels."""
    data = load_digits()
    images = (data.images / 16).astype(np.float32)[..., None]
    parts = train_test_split(
        images, data.target, test_size=450, random_state=SEED, stratify=data.target
    )
    return parts[0], parts[2], parts[1], parts[3]


def network() -> keras.Model:
    """Convolutions with batch normalisation, one of them depthwise; a residual; a classifier."""
    layers = keras.layers
    image = x = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPooling2D()(x)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.Conv2D(16, 1)(y)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def converted(model: keras.Model, images: np.ndarray) -> bytes:
    """The model with int8 weights, activations, input and output."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images[:CALIBRATION])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def quantised(content: bytes, images: np.ndarray) -> np.ndarray:
    """Images in the integers of the model's input."""
    details = tf.lite.Interpreter(model_content=content).get_input_details()[0]
    scale, zero_point = details["quantization"]
    return np.clip(np.rint(images / scale) + zero_point, -128, 127).astype(np.int8)


def interpreted(content: bytes, images: np.ndarray) -> np.ndarray:
    """The int8 outputs of TensorFlow Lite Micro."""
    interpreter = runtime.Interpreter.from_bytes(content)
    outputs = []
    for image in images:
        interpreter.set_input(image[None], 0)
        interpreter.invoke()
        outputs.append(np.array(interpreter.get_output(0))[0])
    return np.stack(outputs)


def main() -> None:
    """Train, convert, and write what `rowforge run` and the comparison need."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/keras"))
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(SEED)
    images, labels, held_out, answers = digits()
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, batch_size=32, epochs=EPOCHS, verbose=0)
    content = converted(model, images)
    x = quantised(content, held_out)
    (folder / "digits.tflite").write_bytes(content)
    np.save(folder / "x.npy", x)
    np.save(folder / "first.npy", x[:FIRST])
    np.save(folder / "labels.npy", answers)
    np.save(folder / "float.npy", model.predict(held_out, verbose=0))
    np.save(folder / "expected.npy", interpreted(content, x))
    print(f"{folder}/digits.tflite: {len(content)} bytes, {len(x)} held-out digits beside it")


if __name__ == "__main__":
    main()
