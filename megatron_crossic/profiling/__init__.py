"""How fast a run is, where the time of its steps goes, and whether a change made a difference.

    command line -> plan of a run that leaves nothing behind
      measure    the real steps on every rank      <- phases, collectives, energy, tracing
      parts      phases -> data, forward, backward, optimizer, communication, bubble, rest
      point      every figure of one configuration <- figures, environment
      document   profile.json                      -> table, picture, compare, scaling
    sweep        points of many configurations, each in processes of its own

Nothing here is imported by a training run; `train.clock` tells whoever listens where a step is.
"""
