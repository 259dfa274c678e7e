"""Three calls with stripe; prints the status of each."""

import os
import sys

import stripe

client = stripe.StripeClient(
    os.environ["STRIPE_API_KEY"],
    base_addresses={"api": sys.argv[1]},
    max_network_retries=0,
)
print("allowed", 200 if client.v1.customers.list().data[0].id == "cus_1" else "?")
try:
    client.v1.customers.delete("cus_1")
except stripe.StripeError as error:
    print("denied", error.http_status)
refund = client.v1.refunds.create({"charge": "ch_1", "amount": 250, "metadata": {"why": "late"}})
print("held", 200 if refund.id == "re_1" else "?")
