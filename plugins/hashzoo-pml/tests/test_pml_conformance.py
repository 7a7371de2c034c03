"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

FAMILY = {
    "options_are_explicit": "a family hands its options to the loss of the library, which names them; the builder "
    "refuses others"
}
SEVERAL = "a proxy stands for one class per item; several labels are refused with a sentence"
PROXIES = {"shapes_for_every_bit_length": SEVERAL, "loss_terms_are_finite_scalars": SEVERAL}

test_pml_contrastive = conformance("pml-contrastive", expected_failures=FAMILY)
test_pml_triplet = conformance("pml-triplet", expected_failures=FAMILY)
test_pml_multi_similarity = conformance("pml-multi-similarity", expected_failures=FAMILY)
test_pml_proxy_anchor = conformance("pml-proxy-anchor", expected_failures=FAMILY | PROXIES)
