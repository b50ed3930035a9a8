"""What `station doctor` looks at: one file for each part of the house, reading only.

A check is a function from the `Ground` to findings. It opens no device and changes nothing.
"""
