"""The conformance kit on the method of this plugin."""

from hashzoo.testing import conformance

test_bihalf = conformance(
    "bihalf",
    expected_failures={
        "loss_ignores_batch_order": "the released loss pairs image i of the first half with image i of the second"
    },
)
