"""What other programs and libraries take a CZI through: one module for each of them."""
