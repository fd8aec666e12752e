"""What came of runs that something happened to, counted for any number of workers."""

import signal
import threading
from collections import Counter

import lab


class Score:
    """What came of all points, for any number of workers."""

    def __init__(self):
        self.lock, self.points, self.survived, self.finished = threading.Lock(), Counter(), Counter(), Counter()
        self.spare, self.failed, self.stopped = Counter(), [], False
        # What is under way is finished then, and the clouds are ended.
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, self.stop)

    def stop(self, *_):
        self.stopped = True

    def add(self, kind, point, finished, spare):
        with self.lock:
            place = kind, point.fate, point.scenario
            self.points[place] += 1
            self.survived[place] += 1
            self.finished[place] += finished
            for what, n in spare.items():
                self.spare[kind, what] = max(self.spare[kind, what], n)
            if self.points.total() % 50 == 0:
                lab.say(f"{self.survived.total()} of {self.points.total()} points survived")

    def fail(self, kind, point, why):
        with self.lock:
            self.points[kind, point.fate, point.scenario] += 1
            self.failed.append((kind, point, why))
            lab.say(f"FAILED on {kind}: {point}\n{why}\n")


def table(score, kind, scenarios):
    """Markdown: what survived of how many, scenario by fate."""
    yield f"| {kind} | " + " | ".join(scenarios) + " |"
    yield "|---|" + "---|" * len(scenarios)
    for fate in sorted({fate for k, fate, _ in score.points if k == kind}):
        cells = [(score.survived[kind, fate, s], score.points[kind, fate, s]) for s in scenarios]
        yield f"| {fate} | " + " | ".join(f"{s}/{n}" if n else "" for s, n in cells) + " |"
    yield ""
    points, survived, finished = (
        sum(n for (k, _, _), n in counted.items() if k == kind)
        for counted in (score.points, score.survived, score.finished))
    more = ", ".join(f"{n} {what}" for (k, what), n in sorted(score.spare.items()) if k == kind and n)
    yield f"{survived} of {points} points survived; {finished} of these runs finished by themselves."
    yield f"Beside what an undisturbed run leaves, at most: {more or 'nothing'}."
