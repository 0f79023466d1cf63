"""Where quantisation stands in a model: QDQ, QOperator, floats at the ends."""
