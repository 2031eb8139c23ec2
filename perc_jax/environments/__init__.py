"""Environments: what a completion of several turns talks with, and whose tools return pictures. Host only.

    environment = make(stage.environment, config.data, config.model.vision)
    state = environment.start(Question(id, pictures, text, answer))
    step = environment.step(Move(state, text))      # what the model wrote in its turn
    step.outcome                                    # Observation(parts, pictures), or Ending(correct, well_formed, …)

A turn is either code or an answer. Code is read by a grammar of a few lines and never executed (`calls`): `Swap(a, b)`,
`Observe()`, `Crop(x1, y1, x2, y2)`, `Zoom(x1, y1, x2, y2, k)`, assignments of plain values. What is neither is met with
words that say what is allowed, and counts. `start` and `step` are pure functions of what they are given, so that they
run in processes with deadlines (`players`), and a step of training that begins anew is the same step.

| environment | the model is shown | its answer is right if |
|---|---|---|
| `jigsaw` | the pieces of a picture in a wrong order | it names them in the right one |
| `inspect` | a sheet of pictures, reduced until none can be read | it is the answer to the question about one of them |

A further one is a `base.Game`: which calls there are, what they show, what is right; turns, forms, bounds and counts
are `conversation`'s. Nothing here knows tokens or models: `prompt.observe` lays out what is returned as the model reads
it, and rewards read endings (`rewards.endings`).
"""
