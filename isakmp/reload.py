"""Reload: the configuration is read, checked and taken in small steps, between which the loop does
all else. What was read before counts until the new one is whole.

One change of the configuration at a time: others wait for its end, so that none is lost. Only a
file that is being read is begun again, for who asks for it again, as long as nothing of it counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from isakmp.errors import IsakmpError
from isakmp.event.job import Job
from isakmp.event.steps import Steps
from isakmp.event.timer import Event, Timers

# So many steps are made in a turn of the loop.
STEPS = 16

Make = Callable[[], Steps[list[str]]]
"""Makes a change from its beginning; what it has to tell, a line each."""


class _Task:
    """One change. anew: whether it may be begun again."""

    def __init__(self, make: Make, anew: bool) -> None:
        self.make, self.anew = make, anew
        self.steps = make()
        self.job: Job[list[str]] = Job()

    def turn(self) -> bool:
        """Some steps; whether there are more. What is no IsakmpError is raised as well."""
        try:
            for _ in range(STEPS):
                next(self.steps)
        except StopIteration as end:
            self.job.finish(end.value)
        except IsakmpError as error:
            self.job.fail(error)
        except Exception as error:
            self.job.fail(error)
            raise
        return not self.job.done

    def begin_again(self) -> None:
        self.steps.close()
        self.steps = self.make()


class Reload:
    """The changes of one daemon's configuration, one after the other."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._tasks: deque[_Task] = deque()
        self._next = Event(timers, "", 0.0, None)

    @property
    def under_way(self) -> bool:
        """Whether there is a change that is not over."""
        return bool(self._tasks)

    def do(self, make: Make, anew: bool = False) -> Job[list[str]]:
        """Begin a change, once those before it are over. Its job fails where it does. anew: it may
        be begun again until it counts()."""
        task = _Task(make, anew)
        self._tasks.append(task)
        if len(self._tasks) == 1:
            self._turn()
        return task.job

    def again(self, make: Make) -> Job[list[str]]:
        """The same for a file; where that is being read already, it is from its beginning."""
        if not self._tasks or not self._tasks[-1].anew:
            return self.do(make, anew=True)
        self._tasks[-1].begin_again()
        return self._tasks[-1].job

    def settled(self) -> Job[list[str]]:
        """Done when all changes that have been asked for are over."""

        def nothing() -> Steps[list[str]]:
            yield from ()
            return []

        return self.do(nothing)

    def counts(self) -> None:
        """The change that is under way counts from here on, and is made to its end."""
        self._tasks[0].anew = False

    def end(self) -> None:
        """Leave what is under way where it is, and do nothing of what waits."""
        self._next.cancel()
        tasks, self._tasks = self._tasks, deque()
        for task in tasks:
            task.steps.close()
            task.job.fail(IsakmpError("isakmpd ends: this was not done, or not to its end"))

    def _turn(self) -> None:
        """Some steps of the first; what waits begins when that is over."""
        while self._tasks:
            more, task = False, self._tasks[0]
            try:
                more = task.turn()
            finally:
                if not more and self._tasks and self._tasks[0] is task:
                    self._tasks.popleft()
                if self._tasks and not self._next.pending:
                    self._next = self._timers.add("reload", 0.0, self._turn)
            if more:
                return
