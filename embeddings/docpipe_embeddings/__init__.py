"""The model of docpipe's searches by meaning; `docpipe.engines.embed.onnx_encoder` reads it from `model/`."""
