"""`orderhook` and `python -m service`."""

import gc

gc.disable()  # all that is imported stays: to look for garbage among it is a sixth of every start
from service.cli.main import main  # noqa: E402

gc.enable()

if __name__ == "__main__":
    main()
