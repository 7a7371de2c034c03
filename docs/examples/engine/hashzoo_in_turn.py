"""An engine alone: the cells of a study one after the other, each in a process of its own."""

from hashzoo import Component, hookimpl

hashzoo_api = 2


@hookimpl
def hashzoo_register_engines():
    return [Component("in-turn", "hashzoo_in_turn:InTurn", summary="one cell after the other")]


class InTurn:
    def run(self, tasks):
        from concurrent.futures import ProcessPoolExecutor

        from hashzoo import do_task

        with ProcessPoolExecutor(1) as pool:
            yield from pool.map(do_task, tasks)
