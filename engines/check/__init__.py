"""The audit of every engine: `python -m engines.check [--engines grid,chart] [--types grid.locate] [--samples N] …`.

Question type by question type and level by level it poses N samples, without drawing them, and asks: does an oracle
that shares no code with the engine find the same answer, is the gold answer accepted and are twenty near misses of it
refused, does the question leave open no convention that would change its answer, how often is a guess without the
picture right (also one by looks of the options alone, or one that learned from other questions) and is that what the
sample says, is every operation of a compositional question needed, is every question put in four ways or more, are
there three further facts, does the scene grow with the level, is any scene in two splits. A few samples of each are
drawn, clean and photographed, and everything on which an answer rests must be legible in the final pixels, and charts
in a photograph to the tick. Last: equal names give equal bytes in another process, names do not depend on the
machine's byte order, and duplicates are rare in the default mixture.

`cell` audits one type at one level; `pictures` what is drawn of it; `lesson` teaches a guesser its questions, `solver`
asks a reference solver about its pictures; `whole` what concerns all together; `run` puts
them together, `table` shows what they found. Every failure names a sample that shows it.
"""
