"""A process that does nothing but wake up 100 times a second, and says how long it once had to wait for that.

What it waits is the machine's doing: it is the yardstick for a program beside it. It prints a line when it begins, ends
when its stdin does, and then prints the longest time between two beats in milliseconds.
"""

import sys
import threading
import time

BEAT_SECONDS = 0.01

ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print("begun", flush=True)
longest, last = 0.0, time.monotonic()
while not ended.is_set():
    time.sleep(BEAT_SECONDS)
    now = time.monotonic()
    longest, last = max(longest, now - last), now
print(round(1000 * longest))
