"""The coverage-guided fuzzer of libCZI's JPEG XR decoder."""
