"""Who judges a picture: engines that read, networks that see, and models that answer. Measures ask them."""
