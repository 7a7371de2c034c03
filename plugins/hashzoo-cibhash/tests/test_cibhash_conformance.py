"""The conformance kit on the method of this plugin."""

from hashzoo.testing import conformance

test_cibhash = conformance(
    "cibhash",
    expected_failures={
        "gradient_reaches_every_parameter": "the loss compares two views of an item, which its trainer makes; "
        "a plain batch has one"
    },
)
