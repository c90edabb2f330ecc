"""The weights of docpipe's names tagger; `docpipe.engines.ner.onnx_tagger` reads them from `model/`."""
