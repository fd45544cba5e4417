"""joinwatch: who is in a meeting and should not be?

Bytes enter on the left, alerts leave on the right, and nothing turns back:

    sources → wire → decoders → platforms → meetings → detections → outputs

Each stage is a package here; the nouns that pass between them live in `monitor.model`;
`monitor.pipeline` alone knows the order of the stages.
"""

__version__ = "0.1.0"
