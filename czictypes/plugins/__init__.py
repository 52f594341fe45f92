"""Ways into other programs and libraries: one module for each of them."""
