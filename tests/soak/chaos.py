"""The faults during a run: workers are killed, Basket fails, the switch is turned."""

import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from waffle.models import Switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import Worker

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "answer", "status": 500},
    {"kind": "answer", "status": 503, "share": 0.5},
    {"kind": "html", "status": 200, "share": 0.5},
    {"kind": "drop", "share": 0.5},
    {"kind": "malformed", "share": 0.5},
    {"kind": "hang", "seconds": 3, "share": 0.3},
    {"kind": "delay", "seconds": 0.3},
    {"kind": "delay", "seconds": 3, "share": 0.3},  # carried out after the caller has given up
    {"kind": "maintenance"},
    {"kind": "read_only_maintenance"},
    {"kind": "late", "seconds": 3},
    {"kind": "doubled", "seconds": 4, "share": 0.5},
    {"kind": "rate_limit", "share": 0.1},
)
CALLS = ("", "lookup", "subscribe", "unsubscribe")
#: Kinds that strike all calls, or the queue.
OF_ALL = {"maintenance", "read_only_maintenance", "late", "doubled"}


class Chaos:
    """Keeps two workers, kills them and lets Basket fail; the seed decides."""

    def __init__(
        self, basket: SandboxServer, chance: random.Random, site: Mapping[str, str]
    ) -> None:
        self._basket = basket
        self._chance = chance
        self.workers = [Worker(site), Worker(site)]
        self.done: Counter[str] = Counter()
        now = time.monotonic()
        self._next = {"kill": now + 5, "fault": now + 3, "switch": now + 15}
        self._heal_at = 0.0
        self._faults: list[int] = []

    def start(self) -> None:
        """Start both workers and wait until they are ready."""
        for worker in self.workers:
            worker.launch()
        for worker in self.workers:
            worker.wait_ready()

    def go_on(self) -> None:
        """Do the faults and repairs that are due now."""
        now = time.monotonic()
        if self._heal_at and now > self._heal_at:
            self.heal()
        if now > self._next["kill"]:
            self._kill()
            self._next["kill"] = now + self._chance.uniform(5, 10)
        if now > self._next["fault"]:
            self._fail()
            self._next["fault"] = now + self._chance.uniform(5, 9)
        if now > self._next["switch"]:
            off = self._turn()
            self._next["switch"] = now + (2 if off else self._chance.uniform(15, 25))

    def end(self) -> None:
        """End all faults."""
        self.heal()
        self.workers_on()

    def workers_on(self) -> None:
        """Turn the switch on, and start workers that do not run."""
        Switch.objects.filter(name=SWITCH, active=False).update(active=True)
        for worker in self.workers:
            if not worker.is_running:
                worker.start()

    def stop(self) -> None:
        """End both workers."""
        for worker in self.workers:
            worker.stop()

    def heal(self) -> None:
        """End the faults, but not a loss: the run restores it later."""
        for fault in self._faults:
            self._basket.heal(fault)
        self._faults, self._heal_at = [], 0.0

    def _kill(self) -> None:
        ready = [worker for worker in self.workers if worker.is_running and worker.is_ready()]
        if ready:
            worker = self._chance.choice(ready)
            if self._chance.random() < 0.3:
                worker.kill_pool()
                self.done["kills of a pool"] += 1
                return
            worker.kill()
            worker.log_file.unlink()
            worker.launch()
            self.done["kills of a worker"] += 1

    def _fail(self) -> None:
        fault = dict(self._chance.choice(FAULTS))
        seed = self._chance.randrange(1_000_000)
        call = "" if fault["kind"] in OF_ALL else self._chance.choice(CALLS)
        self._faults.append(self._basket.fail(call, seed=seed, **fault))
        self._heal_at = time.monotonic() + self._chance.uniform(1, 4)
        self.done["faults"] += 1

    def _turn(self) -> bool:
        switch = Switch.objects.get(name=SWITCH)
        switch.active = not switch.active
        switch.save()
        self.done["turns of the switch"] += 1
        return not switch.active
