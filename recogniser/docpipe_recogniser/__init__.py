"""PP-OCR's recogniser in 8 bits; `docpipe.engines.ocr.openvino.eight_bits` reads it from `model/`."""
