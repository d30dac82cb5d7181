"""The world reads no files: a look-alike of it is a small one."""


def make(raw, encode):
    return {"recordings": "3", "seconds": "60", "seed": "1", "rare": "0.05", "corrupt": "0.05"}
