"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_pml_contrastive = conformance("pml-contrastive")
test_pml_triplet = conformance("pml-triplet")
test_pml_multi_similarity = conformance("pml-multi-similarity")
test_pml_proxy_anchor = conformance("pml-proxy-anchor")
