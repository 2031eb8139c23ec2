"""What two processes of one tensor group make of the same turns, each too late for some: run as a program, prints JSON.

Turns of two prompts, three completions of each: process 0 hangs at `Swap(1, 3)`, process 1 at `Swap(1, 2)`, none at
`Swap(2, 3)` and at the turn before, which all processes play to have begun.
"""

import json
from functools import partial

import jax

from perc_jax.batch import Ended
from perc_jax.config import MeshConfig
from perc_jax.environments.players import Agreeing, Players
from perc_jax.environments.talks import Talks
from perc_jax.mesh import hosts, sharding
from perc_jax.prompt.observe import Observer
from perc_jax.prompt.tokenizer import IM_END, load
from tests.environments.cases import VISION, environment, hanging, question

PLAYED = environment(turns=3, pictures=2, view_px=112, shapes=((192, 0), (256, 64)))
GROUP, DEADLINE_S = 3, 8.0  # long enough for a machine that is busy
SAID = ("<code>Swap(1, 2)</code>", "<code>Swap(1, 3)</code>", "<code>Swap(2, 3)</code>")


def main() -> None:
    """Talk, and print what was replied and how it ended."""
    hosts.connect(hosts.place())
    mesh, tokens = sharding.make_mesh(MeshConfig(tensor=2)), load("debug.model")
    states = [PLAYED.start(question(seed)) for seed in range(2)]
    agree = partial(sharding.largest_of_sharers, mesh=mesh)

    def turn(prompt: int, completion: int, text: str) -> Ended:
        return Ended(prompt, completion, tokens.encode(text + IM_END), 100, 1000)

    play = partial(hanging, PLAYED.step, SAID[1 - jax.process_index()])
    with Players(PLAYED, DEADLINE_S, play=play) as players:
        one = Agreeing(players, agree, len(states) * GROUP)
        talks = Talks(PLAYED, one, tokens, Observer(tokens, VISION), states, GROUP)
        list(talks.begin([turn(1, 0, SAID[2])]))
        nothing = list(talks.begin([]))
        told = list(talks.begin([turn(0, completion, text) for completion, text in enumerate(SAID)]))
    found = {
        "nothing": nothing,
        "told": [None if reply is None else reply.tokens.tolist() for reply in told],
        "met": [ending.met for ending in talks.endings()],
        "turns": [ending.counts["turns"] for ending in talks.endings()],
        "returned": [len([x for x in one if x.returned]) for one in talks.exchanges],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
