"""The pages: what people see. They only read; every change is a call of theirs to the API."""
