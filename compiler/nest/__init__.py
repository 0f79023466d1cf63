"""One convolution nest: from a mapping to the passes, patterns and filters of a CONV command."""
