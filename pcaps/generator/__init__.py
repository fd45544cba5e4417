"""A small language for telling what happens in the world; it gives the packets that this would leave on a wire.

`World` is a place and a day; `Party` is somebody with a telephone or a SIP address; `Call` is one call with a clock of
its own. The same story gives the same bytes, on every machine and in every run.
"""

from pcaps.generator.call import Call
from pcaps.generator.labels import Join
from pcaps.generator.party import Party, phone, sip_user, withheld
from pcaps.generator.roster import Member, Subscription
from pcaps.generator.wire import Frame, Host, Stream
from pcaps.generator.world import World

__all__ = [
    "Call",
    "Frame",
    "Host",
    "Join",
    "Member",
    "Party",
    "Stream",
    "Subscription",
    "World",
    "phone",
    "sip_user",
    "withheld",
]
