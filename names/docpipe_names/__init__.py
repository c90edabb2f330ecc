"""The weights of docpipe's names tagger; `docpipe.engines.onnx_tagger` reads them from `model/`."""
