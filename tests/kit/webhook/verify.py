"""Verifies a webhook with the published library of Standard Webhooks.

Reads a JSON object with headers, body and secret from stdin. Ends with 0 if the library accepts the webhook, with 3
if it refuses it, and with another code if it cannot be called.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

# Python ends with 1 or 2 after an error of its own.
REFUSED = 3

request = json.load(sys.stdin)
try:
    Webhook(request["secret"]).verify(request["body"], request["headers"])
except WebhookVerificationError as error:
    print(error)
    sys.exit(REFUSED)
