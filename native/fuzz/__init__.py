"""The coverage-guided fuzzer of libCZI's decoder of JPEG XR."""
