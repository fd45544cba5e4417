"""The nouns of the house: frozen records that pass from stage to stage, and nothing else.

One file a subject. Signalling events and everything after them serialise losslessly (`msgspec`), so that a stage may
one day run on another machine; frames and packets are plain named tuples, for they are made once for every packet.
"""
