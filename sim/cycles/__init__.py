"""The cycle model: what every counter of the hardware will say, without data and without RTL."""

from sim.cycles.predict import Prediction, predict

__all__ = ["Prediction", "predict"]
