"""The command zoho-tokenstore."""
