"""Documents that come by themselves: a watched folder, a prefix in S3, event messages.

All end in `Pipeline.submit`.
"""
