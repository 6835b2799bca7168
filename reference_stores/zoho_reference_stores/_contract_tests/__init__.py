"""For each reference store's module, the test that ``zoho-tokenstore copy`` writes beside the copy."""
