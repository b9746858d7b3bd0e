"""How one of several processes ends where a signal finds it waiting for another."""

import os
import signal
import socket
import sys
import threading
import time

from handgrad import ctrl_c

GRACE_S = 25.0
"""After Ctrl-C or SIGTERM, for what process 0 saves; torchrun kills after 30."""


def end_in_time(rank: int) -> None:
    """Take SIGTERM, which torchrun sends, as Ctrl-C; and end where one of the two finds this process blocked.

    Process 0 ends as it does alone, and lets the others go. They wait for that, and end by themselves if it does not
    come; so does it, where it waits for one of them in the middle of a step.
    """
    if rank:
        signal.signal(signal.SIGINT, lambda *_: None)
    on_ctrl_c = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGTERM, on_ctrl_c if callable(on_ctrl_c) else signal.default_int_handler)
    hears, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.detach(), warn_on_full_buffer=False)

    def wait() -> None:
        while hears.recv(1)[0] not in (signal.SIGINT, signal.SIGTERM):
            pass
        time.sleep(GRACE_S)
        if rank:
            os._exit(1)
        if ctrl_c.held:
            said = "stopped in the middle of a step. What was saved last is in the run folder; go on with --resume."
            print(f"handgrad: {said}", file=sys.stderr, flush=True)
            os._exit(130)

    threading.Thread(target=wait, daemon=True).start()
